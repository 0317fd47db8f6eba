//! `replay`: what was recorded of one node, step by step.

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use tidings_core::{Node, invariants};
use tidings_sim::PacketText;
use tidings_sim::record::{End, Fed, Input, Recording, Step};

use crate::cli::ReplayArgs;

pub(crate) fn run(args: &ReplayArgs) -> Result<ExitCode, Box<dyn Error>> {
    let bytes = fs::read(&args.file).map_err(|error| format!("{}: {error}", args.file.display()))?;
    let mut recording = Recording::new(&bytes).map_err(|error| format!("{}: {error}", args.file.display()))?;
    let mut node = recording.start();
    introduce(&node);
    let shown_from = args.from.unwrap_or(if args.verbose { 0 } else { u64::MAX });
    let (mut steps, mut last, mut differing) = (0, None, 0_u64);
    loop {
        let step = match recording.next_step() {
            Ok(Some(step)) => step,
            Ok(None) => break,
            Err(error) => {
                println!("{steps} steps came out as recorded; then");
                return Err(error.into());
            }
        };
        let is_shown = step.number >= shown_from;
        if is_shown || step.output.is_none() {
            // Before the node has it: it may panic on it.
            println!("{}", title(&step));
        }
        if step.output.is_none() {
            println!("    no outputs are recorded: the node panicked on this input, or the recording ends here");
        }
        let fed = step.feed(&mut node);
        if is_shown {
            show(&fed);
        }
        if let Some(difference) = step.difference(&fed) {
            println!("{difference}");
            fed.packets.iter().for_each(|packet| println!("    now sent: {}", PacketText(packet)));
            differing += 1;
            if !args.keep_going {
                return Ok(ExitCode::FAILURE);
            }
        }
        if args.invariants {
            invariants::check(&node).map_err(|violation| format!("after step {}: {violation}", step.number))?;
        }
        (steps, last) = (step.number, Some(step.at));
    }
    let until = last.map_or_else(String::new, |at| format!(" until {at:?}"));
    match differing {
        0 => println!("{steps} steps{until}: everything came out as recorded"),
        _ => println!("{steps} steps{until}, of which {differing} came out differently"),
    }
    if let End::CutOff { at_byte } = recording.end() {
        let rest = bytes.len() - at_byte;
        println!("the recording is cut off: its last {rest} bytes, from byte {at_byte} on, are no whole record");
    }
    Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn introduce(node: &Node) {
    let (live, dead, left) = (node.live_nodes().len(), node.dead_nodes().len(), node.left_nodes().len());
    println!(
        "{} in cluster {:?} knows {live} live nodes, {dead} dead, {left} that left",
        node.id(),
        node.config().cluster_id
    );
}

fn title(step: &Step<'_>) -> String {
    let title = format!("step {} at {:?}: {}", step.number, step.at, step.input);
    match &step.input {
        Input::Packet { packet, .. } => format!("{title}\n    comes: {}", PacketText(packet)),
        _ => title,
    }
}

fn show(fed: &Fed) {
    fed.output.to_string().lines().for_each(|line| println!("    {line}"));
    fed.packets.iter().for_each(|packet| println!("    sent: {}", PacketText(packet)));
}
