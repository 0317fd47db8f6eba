use super::*;
use crate::config::FailureDetectorConfig;
use crate::testing::config;

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// A detector with these settings, on a node whose exchanges all go well.
fn detector(settings: FailureDetectorConfig) -> Detector {
    let mut config = config("me");
    config.failure_detector = settings;
    Detector::new(&config, 0.0)
}

/// The first value, and then a heartbeat after each of these intervals.
fn heard(intervals_ms: impl IntoIterator<Item = u64>, detector: &Detector) -> (HeartbeatWindow, u64) {
    let (mut window, mut now) = (HeartbeatWindow::default(), 0);
    window.report_heartbeat(at(now), detector);
    for interval in intervals_ms {
        now += interval;
        window.report_heartbeat(at(now), detector);
    }
    (window, now)
}

#[test]
fn phi_is_unknown_until_the_second_heartbeat() {
    let detector = detector(FailureDetectorConfig::default());
    let mut window = HeartbeatWindow::default();
    assert_eq!((window.phi(at(0), &detector), window.suspect_at(&detector)), (None, None));
    window.report_heartbeat(at(1_000), &detector);
    assert_eq!((window.phi(at(1_000), &detector), window.suspect_at(&detector)), (None, None));
    window.report_heartbeat(at(2_000), &detector);
    assert_eq!(window.phi(at(2_000), &detector), Some(0.0));
}

#[test]
fn phi_follows_aioclusters_formula() {
    let detector = detector(FailureDetectorConfig::aiocluster());
    let (window, now) = heard([1_000; 10], &detector);
    // Ten samples of 1 s and five of 5 s: the mean is 35 / 15 s.
    let phi = window.phi(at(now + 7_000), &detector).unwrap();
    assert!((phi - 7.0 / (35.0 / 15.0)).abs() < 1e-9, "{phi}");
    let dead_after_ms = 8_000 * 35 / 15;
    assert!(window.is_alive(at(now + dead_after_ms), &detector));
    assert!(!window.is_alive(at(now + dead_after_ms + 1), &detector));
}

#[test]
fn by_default_half_of_the_mean_is_a_gossip_interval_for_good() {
    let detector = detector(FailureDetectorConfig::default());
    for beats in [50, 5_000] {
        let (window, now) = heard(core::iter::repeat_n(300, beats), &detector);
        let phi = window.phi(at(now + 650), &detector).unwrap();
        assert!((phi - 1.0).abs() < 1e-6, "{phi}");
    }
}

#[test]
fn it_is_suspected_from_the_instant_on_at_which_phi_passes_the_threshold() {
    let detector = detector(FailureDetectorConfig::default());
    for interval in [1, 77, 333, 1_000, 9_999] {
        let (window, _) = heard([interval; 20], &detector);
        let instant = window.suspect_at(&detector).unwrap();
        assert!(!window.is_alive(instant, &detector), "{interval}");
        assert!(window.is_alive(instant - Duration::from_micros(2), &detector), "{interval}");
    }
}

#[test]
fn no_settings_make_an_instant_that_cannot_be() {
    let settings = FailureDetectorConfig {
        phi_threshold: 1_000.0,
        initial_interval: Some(Duration::from_secs(24 * 60 * 60)),
        local_health_weight: 100.0,
        ..FailureDetectorConfig::default()
    };
    let mut config = config("me");
    config.failure_detector = settings;
    config.validate().unwrap();
    let detector = Detector::new(&config, 1.0);
    let (window, now) = heard([1_000], &detector);
    assert!(window.suspect_at(&detector).unwrap() > at(now) + Duration::from_secs(1_000 * 24 * 60 * 60));
}

#[test]
fn who_reaches_nobody_is_patient() {
    let mut config = config("me");
    config.failure_detector.local_health_weight = 4.0;
    let (well, badly) = (Detector::new(&config, 0.0), Detector::new(&config, 0.5));
    let (window, now) = heard([1_000; 20], &well);
    let phi = |detector| window.phi(at(now + 4_000), detector).unwrap();
    assert!((phi(&well) - 4.0).abs() < 1e-9 && (phi(&badly) - 2.0).abs() < 1e-9, "{} {}", phi(&well), phi(&badly));
    assert!(window.suspect_at(&badly) > window.suspect_at(&well));
}

#[test]
fn a_gap_beyond_max_interval_is_no_sample() {
    let detector = detector(FailureDetectorConfig::default());
    let mut window = HeartbeatWindow::default();
    window.report_heartbeat(at(0), &detector);
    window.report_heartbeat(at(10_001), &detector);
    assert_eq!(window.phi(at(10_001), &detector), None);
    window.report_heartbeat(at(20_001), &detector);
    assert!(window.is_alive(at(20_001), &detector));
}

#[test]
fn a_reset_keeps_the_last_heartbeat_so_that_one_more_revives() {
    let detector = detector(FailureDetectorConfig::default());
    let mut window = HeartbeatWindow::default();
    window.report_heartbeat(at(0), &detector);
    window.report_heartbeat(at(1_000), &detector);
    window.reset();
    assert_eq!(window.phi(at(2_000), &detector), None);
    window.report_heartbeat(at(3_000), &detector);
    assert!(window.is_alive(at(3_000), &detector));
}

#[test]
fn a_full_window_fades_old_samples() {
    let settings = FailureDetectorConfig { sampling_window_size: 10, prior_weight: 0.0, ..Default::default() };
    let detector = detector(settings);
    let (window, _) = heard(core::iter::repeat_n(1_000, 20).chain(core::iter::repeat_n(200, 100)), &detector);
    let mean = window.unit_secs(&detector).unwrap();
    assert!((mean - 0.2).abs() < 0.001, "{mean}");
    assert_eq!(window.samples, 10);
}

#[test]
fn no_prior_and_no_time_between_beats_gives_a_number() {
    let detector = detector(FailureDetectorConfig { prior_weight: 0.0, ..Default::default() });
    let mut window = HeartbeatWindow::default();
    window.report_heartbeat(at(5), &detector);
    window.report_heartbeat(at(5), &detector);
    assert_eq!(window.phi(at(5), &detector), Some(0.0));
    assert!(window.phi(at(6), &detector).unwrap().is_finite());
}

#[test]
fn a_window_is_small() {
    assert!(size_of::<HeartbeatWindow>() <= 128);
}

#[test]
fn a_node_that_is_told_of_few_waits_longer_and_never_without_end() {
    let all = detector(FailureDetectorConfig::default());
    let last_for = |share| {
        let detector = all.told_of(share);
        let mut window = HeartbeatWindow::default();
        (0..3).for_each(|second| window.report_heartbeat(Instant::from_secs(second), &detector));
        window.suspect_at(&detector).unwrap().saturating_duration_since(Instant::from_secs(2)).as_secs_f64()
    };
    assert_eq!(all.told_of(1.0), all);
    let usual = last_for(1.0);
    assert!((last_for(0.2) / usual - 3.0).abs() < 0.01, "{} and {usual}", last_for(0.2));
    for share in [0.0, -1.0, f64::NAN, f64::MIN_POSITIVE] {
        assert!(last_for(share) <= MOST_PATIENCE * usual + 0.01, "{share}");
    }
    assert!(all.told_of(0.2).max_interval() > all.max_interval() * 2);
}
