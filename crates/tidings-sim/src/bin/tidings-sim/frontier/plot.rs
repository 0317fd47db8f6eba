//! Detection against false alarms as a picture: a panel for each cluster with a crash, a line for each candidate.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;
use tidings_sim::frontier::{Experiment, Point};

use super::title;
use crate::plot::Area;

const COLORS: [RGBColor; 8] = [
    RGBColor(30, 110, 60),
    RGBColor(200, 60, 40),
    RGBColor(40, 80, 170),
    RGBColor(200, 140, 20),
    RGBColor(120, 60, 150),
    RGBColor(20, 150, 160),
    RGBColor(110, 110, 110),
    RGBColor(160, 90, 60),
];

/// Where no false alarm at all stands, on a scale of powers of ten.
const NONE: f64 = -1.0;

/// Draws the points into an SVG file.
pub(crate) fn draw(file: &Path, experiment: &Experiment, points: &[Point]) -> Result<(), Box<dyn Error>> {
    let crashes: Vec<usize> = indexes(experiment, true);
    let rows = crashes.len().div_ceil(2);
    let height = 60 + 380 * u32::try_from(rows)?;
    let root = SVGBackend::new(file, (960, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let root =
        root.titled("Detection against false alarms, by threshold; large: the settings' own", ("sans-serif", 18))?;
    for (area, cluster) in root.split_evenly((rows, 2)).iter().zip(crashes) {
        panel(area, experiment, points, cluster)?;
    }
    root.present().map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(())
}

fn indexes(experiment: &Experiment, with_crash: bool) -> Vec<usize> {
    let clusters = experiment.clusters.iter().enumerate();
    clusters.filter(|(_, cluster)| cluster.crash_at.is_some() == with_crash).map(|(index, _)| index).collect()
}

fn panel(area: &Area<'_>, experiment: &Experiment, points: &[Point], cluster: usize) -> Result<(), Box<dyn Error>> {
    let quiet = indexes(experiment, false);
    let alarms = |candidate: usize, threshold: f64| {
        let same = |point: &&Point| point.candidate == candidate && point.threshold == threshold;
        let counted = points.iter().filter(same).filter(|point| quiet.contains(&point.cluster));
        counted.map(|point| point.false_alarms).sum::<u64>()
    };
    let line = |candidate: usize| {
        let of_line = points.iter().filter(move |point| point.candidate == candidate && point.cluster == cluster);
        of_line.map(move |point| {
            let count = alarms(candidate, point.threshold);
            let height = if count == 0 { NONE } else { (count as f64).log10() };
            (point.threshold, (point.detection_s.max, height))
        })
    };
    let all = || (0..experiment.candidates.len()).flat_map(line).map(|(_, at)| at);
    let latest = all().map(|(x, _)| x).fold(5.0, f64::max).min(30.0);
    let highest = all().map(|(_, y)| y).fold(1.0, f64::max) + 0.5;
    let mut chart = ChartBuilder::on(area)
        .caption(title(&experiment.clusters[cluster]), ("sans-serif", 14))
        .margin(8)
        .x_label_area_size(30)
        .y_label_area_size(64)
        .build_cartesian_2d(2.0..latest, (NONE - 0.3)..highest)?;
    chart
        .configure_mesh()
        .max_light_lines(0)
        .x_desc("seconds until the last survivor noticed")
        .y_desc("false alarms")
        .y_label_formatter(&|power| match *power {
            power if power < NONE + 0.25 => "0".to_string(),
            power if power < -0.25 => String::new(),
            power => format!("{:.0}", 10_f64.powf(power)),
        })
        .draw()?;
    let visible = |candidate| line(candidate).filter(|(_, (x, _))| *x <= latest);
    for (candidate, settings) in experiment.candidates.iter().enumerate() {
        let color = COLORS[candidate % COLORS.len()];
        chart
            .draw_series(LineSeries::new(visible(candidate).map(|(_, at)| at), color.stroke_width(1)))?
            .label(settings.name.as_str())
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    // The first candidate is on top.
    for (candidate, settings) in experiment.candidates.iter().enumerate().rev() {
        let color = COLORS[candidate % COLORS.len()];
        let own = settings.protocol.phi_threshold;
        let size = |threshold: f64| if threshold == own { 5 } else { 2 };
        chart
            .draw_series(visible(candidate).map(|(threshold, at)| Circle::new(at, size(threshold), color.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    Ok(())
}
