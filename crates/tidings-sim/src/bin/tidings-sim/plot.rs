//! A run as a picture: convergence, detection and traffic over time.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use tidings_sim::{Report, Sample};

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A line of a plot.
struct Line {
    name: &'static str,
    color: RGBColor,
    value: fn(&Sample) -> f64,
}

const MEMBERSHIP: [Line; 3] = [
    Line { name: "nodes running", color: RGBColor(150, 150, 150), value: |sample| sample.running as f64 },
    Line {
        name: "of these taken for live by each, on average",
        color: RGBColor(30, 110, 60),
        value: |sample| sample.known_live,
    },
    Line {
        name: "taken for live though stopped, on average",
        color: RGBColor(200, 60, 40),
        value: |sample| sample.known_wrongly,
    },
];
const ALARMS: [Line; 1] = [Line {
    name: "false positives so far",
    color: RGBColor(200, 60, 40),
    value: |sample| sample.false_positives as f64,
}];
const TRAFFIC: [Line; 1] = [Line {
    name: "bytes a second sent by each node",
    color: RGBColor(40, 80, 170),
    value: |sample| sample.bytes_per_node_per_s,
}];

/// Draws the run into an SVG file.
pub(crate) fn draw(file: &Path, report: &Report) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (960, 720)).into_drawing_area();
    root.fill(&WHITE)?;
    let title = if report.name.is_empty() {
        format!("{} nodes, seed {}", report.nodes, report.seed)
    } else {
        report.name.clone()
    };
    let root = root.titled(&title, ("sans-serif", 20))?;
    let (membership, rest) = root.split_vertically(340);
    let (alarms, traffic) = rest.split_vertically(160);
    lines(&membership, report, &MEMBERSHIP)?;
    lines(&alarms, report, &ALARMS)?;
    lines(&traffic, report, &TRAFFIC)?;
    root.present().map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(())
}

fn lines(area: &Area<'_>, report: &Report, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let all = report.samples.iter().flat_map(|sample| lines.iter().map(move |line| (line.value)(sample)));
    let highest = all.fold(1.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(28)
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..report.virtual_s.max(1.0), 0.0..highest)?;
    chart.configure_mesh().light_line_style(WHITE).x_desc("seconds").draw()?;
    for line in lines {
        let points = report.samples.iter().map(|sample| (sample.at_s, (line.value)(sample)));
        let color = line.color;
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    Ok(())
}
