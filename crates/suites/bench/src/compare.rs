//! `compare`: several systems, sizes and losses side by side.

use anyhow::ensure;
use tidings_bench::Outcome;

use crate::cli::CompareArgs;

/// Runs all of them, and prints the table as they come. One that fails does not keep the others from running.
pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let (mut outcomes, mut failures) = (Vec::new(), Vec::new());
    println!("{HEADER}");
    for nodes in &args.nodes {
        for loss in &args.loss {
            for system in &args.systems {
                match tidings_bench::run(*system, &args.shared.scenario(*nodes, *loss)) {
                    Ok(outcome) => {
                        println!("{}", row(&outcome));
                        outcomes.push(outcome);
                    }
                    Err(error) => failures.push(format!("{nodes} nodes of {system}, loss {loss}: {error:#}")),
                }
            }
        }
    }
    if args.json {
        println!();
        for outcome in &outcomes {
            println!("{}", serde_json::to_string(outcome)?);
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("; "));
    Ok(())
}

const HEADER: &str = "\
| nodes | loss | system | rounds to converge | detection median / last s | declared | false positives | packets/s a node | bytes/s a node | largest packet | CPU us/s a node |
|---|---|---|---|---|---|---|---|---|---|---|";

fn row(outcome: &Outcome) -> String {
    let Outcome { nodes, loss, system, detection_s, false_positives, max_packet_bytes, .. } = outcome;
    let rounds = outcome.rounds_to_converge.map_or("never".to_string(), |rounds| format!("{rounds:.0}"));
    let detection = match detection_s.count {
        0 => "-".to_string(),
        _ => format!("{:.1} / {:.1}", detection_s.median, detection_s.max),
    };
    let (packets, bytes) = (outcome.messages_per_node_per_s, outcome.bytes_per_node_per_s);
    let (declared, cpu) = (detection_s.count, outcome.cpu_us_per_node_per_s());
    format!(
        "| {nodes} | {loss} | {system} | {rounds} | {detection} | {declared} | {false_positives} | {packets:.1} | \
         {bytes:.0} | {max_packet_bytes} | {cpu:.1} |"
    )
}
