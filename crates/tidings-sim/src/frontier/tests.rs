use super::*;

fn experiment(cluster: &str) -> Experiment {
    let text = format!(
        r#"
        thresholds = [2, 12]
        [[candidate]]
        name = "the defaults"
        [[candidate]]
        name = "aiocluster's"
        protocol = {{ phi_threshold = 8, initial_interval = "5s", prior_weight = 5, sampling_window_size = 1000, local_health_weight = 0 }}
        [[cluster]]
        {cluster}
        "#
    );
    toml::from_str(&text).unwrap()
}

fn points(experiment: &Experiment) -> Vec<Point> {
    let heard = (1..=experiment.clusters[0].seeds).map(|seed| experiment.run(0, seed).unwrap()).collect();
    experiment.points(0, heard)
}

/// The same cluster, and nodes that really have the candidate's settings.
fn real(experiment: &Experiment, candidate: usize, threshold: f64) -> crate::Report {
    let mut scenario = experiment.clusters[0].scenario(1).unwrap();
    scenario.protocol = Protocol { phi_threshold: threshold, ..experiment.candidates[candidate].protocol.clone() };
    crate::run(&scenario).unwrap()
}

#[test]
fn a_shadow_sees_a_crash_when_a_real_detector_does() {
    let experiment = experiment("nodes = 20\nseeds = 1\nfor = '50s'\ncrash_at = '20s'");
    let points = points(&experiment);
    assert_eq!(points.len(), 6, "three thresholds each");
    for point in points.iter().filter(|point| [6.0, 8.0].contains(&point.threshold)) {
        let real = real(&experiment, point.candidate, point.threshold).detection_s;
        let shadow = point.detection_s;
        assert_eq!(real.count, shadow.count, "{point:?}");
        for (real, shadow) in [(real.median, shadow.median), (real.max, shadow.max)] {
            assert!((real - shadow).abs() < 0.3, "{real}, {point:?}");
        }
    }
}

#[test]
fn a_shadow_cries_where_a_real_detector_does() {
    let experiment = experiment("nodes = 10\nseeds = 1\nfor = '120s'\nloss = 0.5");
    for point in points(&experiment) {
        let real = real(&experiment, point.candidate, point.threshold).false_positives;
        match point.threshold {
            // After an alarm the real cluster goes another way: who was declared dead is heard anew, and gossiped with less.
            2.0 => assert!(real > 10 && (real / 2..real * 3).contains(&point.false_alarms), "{real}, {point:?}"),
            _ => assert_eq!(real, point.false_alarms, "{point:?}"),
        }
    }
}

#[test]
fn what_cannot_be_tried_is_named() {
    let mut experiment = experiment("nodes = 3\nseeds = 1\nfor = '1s'");
    assert!(experiment.run(0, 1).unwrap_err().to_string().contains("nodes is 3"));
    assert!(experiment.run(1, 1).unwrap_err().to_string().contains("no cluster 1"));
    experiment.clusters[0].nodes = 4;
    experiment.thresholds.push(-1.0);
    let error = experiment.run(0, 1).unwrap_err().to_string();
    assert!(error.contains("the defaults") && error.contains("phi_threshold"), "{error}");
}
