//! The conformance suite on tokio: one test for each scenario.

mod forming {
    use tidings_conformance::forming as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn three_nodes_form_from_one_seed() {
        suite::three_nodes_form_from_one_seed::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn keys_set_changed_and_deleted_are_seen() {
        suite::keys_set_changed_and_deleted_are_seen::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn keys_are_published_again() {
        suite::keys_are_published_again::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_lifetime_ends_on_time() {
        suite::a_lifetime_ends_on_time::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_restarted_node_supersedes_its_former_run() {
        suite::a_restarted_node_supersedes_its_former_run::<Tokio>().await;
    }
}

mod addresses {
    use tidings_conformance::addresses as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn port_zero_is_reported() {
        suite::port_zero_is_reported::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn listening_and_advertised_address_may_differ() {
        suite::listening_and_advertised_address_may_differ::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn host_names_are_resolved() {
        suite::host_names_are_resolved::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn all_addresses_of_a_host_are_tried() {
        suite::all_addresses_of_a_host_are_tried::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_advertised_address_changes_while_the_node_runs() {
        suite::the_advertised_address_changes_while_the_node_runs::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_identity_is_the_builders() {
        suite::the_identity_is_the_builders::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn bad_addresses_are_refused_with_a_reason() {
        suite::bad_addresses_are_refused_with_a_reason::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn bad_settings_are_refused_with_a_reason() {
        suite::bad_settings_are_refused_with_a_reason::<Tokio>().await;
    }
}

mod events {
    use tidings_conformance::events as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn between_snapshot_and_events_there_is_no_gap() {
        suite::between_snapshot_and_events_there_is_no_gap::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_prefix_selects_key_changes() {
        suite::a_prefix_selects_key_changes::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_slow_subscriber_is_told_what_it_lost() {
        suite::a_slow_subscriber_is_told_what_it_lost::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_watch_follows_the_live_nodes() {
        suite::the_watch_follows_the_live_nodes::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_predicate_narrows_the_watch() {
        suite::a_predicate_narrows_the_watch::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_shutdown_lets_subscribers_read_to_the_end() {
        suite::a_shutdown_lets_subscribers_read_to_the_end::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_shutdown_does_not_wait_for_the_dropped() {
        suite::a_shutdown_does_not_wait_for_the_dropped::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_shutdown_waits_for_nobody_beyond_its_deadline() {
        suite::a_shutdown_waits_for_nobody_beyond_its_deadline::<Tokio>().await;
    }
}

mod history {
    use tidings_conformance::history as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn both_sides_remember_an_exchange() {
        suite::both_sides_remember_an_exchange::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn exchanges_that_fail_are_remembered_as_such() {
        suite::exchanges_that_fail_are_remembered_as_such::<Tokio>().await;
    }
}

mod hostile {
    use tidings_conformance::hostile as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_silent_peer_is_timed_out() {
        suite::a_silent_peer_is_timed_out::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_peer_that_stalls_is_timed_out() {
        suite::a_peer_that_stalls_is_timed_out::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_frame_that_never_ends_is_timed_out() {
        suite::a_frame_that_never_ends_is_timed_out::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_inbound_exchange_has_a_deadline_as_a_whole() {
        suite::an_inbound_exchange_has_a_deadline_as_a_whole::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_connection_closed_at_once_is_counted() {
        suite::a_connection_closed_at_once_is_counted::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_refused_dial_is_counted() {
        suite::a_refused_dial_is_counted::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_dialled_peer_that_is_silent_is_timed_out() {
        suite::a_dialled_peer_that_is_silent_is_timed_out::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_length_of_4_gib_is_rejected() {
        suite::a_length_of_4_gib_is_rejected::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_length_past_the_limit_is_rejected() {
        suite::a_length_past_the_limit_is_rejected::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_empty_frame_is_rejected() {
        suite::an_empty_frame_is_rejected::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn bytes_after_a_packet_are_rejected() {
        suite::bytes_after_a_packet_are_rejected::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn bytes_after_the_last_packet_are_rejected() {
        suite::bytes_after_the_last_packet_are_rejected::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_peer_that_does_not_read_is_timed_out() {
        suite::a_peer_that_does_not_read_is_timed_out::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn random_bytes_are_rejected() {
        suite::random_bytes_are_rejected::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_truncated_packet_is_rejected() {
        suite::a_truncated_packet_is_rejected::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_ack_that_comes_first_is_rejected() {
        suite::an_ack_that_comes_first_is_rejected::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_packet_of_another_cluster_is_rejected() {
        suite::a_packet_of_another_cluster_is_rejected::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn clusters_with_different_ids_stay_apart() {
        suite::clusters_with_different_ids_stay_apart::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn bad_answers_are_rejected() {
        suite::bad_answers_are_rejected::<Tokio>().await;
    }
}

mod limits {
    use tidings_conformance::limits as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn inbound_exchanges_are_capped() {
        suite::inbound_exchanges_are_capped::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn outbound_exchanges_are_capped() {
        suite::outbound_exchanges_are_capped::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rounds_go_on_while_peers_hang() {
        suite::rounds_go_on_while_peers_hang::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn honest_exchanges_succeed_beside_silent_connections() {
        suite::honest_exchanges_succeed_beside_silent_connections::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn accepting_survives_a_lack_of_file_descriptors() {
        suite::accepting_survives_a_lack_of_file_descriptors::<Tokio>().await;
    }
}

mod lifecycle {
    use tidings_conformance::lifecycle as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_node_that_leaves_is_seen_as_left() {
        suite::a_node_that_leaves_is_seen_as_left::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn leaving_does_not_wait_for_a_round() {
        suite::leaving_does_not_wait_for_a_round::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn leaving_over_tls_counts_at_once() {
        suite::leaving_over_tls_counts_at_once::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn leaving_alone_tells_nobody() {
        suite::leaving_alone_tells_nobody::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_shutdown_frees_the_port() {
        suite::a_shutdown_frees_the_port::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_shutdown_finishes_open_exchanges() {
        suite::a_shutdown_finishes_open_exchanges::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_shutdown_ends_with_the_deadlines_of_exchanges() {
        suite::a_shutdown_ends_with_the_deadlines_of_exchanges::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn dropping_the_last_handle_stops_the_node() {
        suite::dropping_the_last_handle_stops_the_node::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn leaving_has_a_deadline() {
        suite::leaving_has_a_deadline::<Tokio>().await;
    }
}

mod names {
    use tidings_conformance::names as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_member_does_not_get_the_name_of_another() {
        suite::a_member_does_not_get_the_name_of_another::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_renewed_certificate_keeps_the_name() {
        suite::a_renewed_certificate_keeps_the_name::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_forgotten_name_is_free() {
        suite::a_forgotten_name_is_free::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn names_must_be_tls_names_where_that_is_set() {
        suite::names_must_be_tls_names_where_that_is_set::<Tokio>().await;
    }
}

mod seeds {
    use tidings_conformance::seeds as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_name_of_all_nodes_makes_a_cluster() {
        suite::a_name_of_all_nodes_makes_a_cluster::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_name_that_is_only_this_node_is_kept() {
        suite::a_name_that_is_only_this_node_is_kept::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn each_address_of_a_name_has_its_turn() {
        suite::each_address_of_a_name_has_its_turn::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_name_is_resolved_again_after_its_interval() {
        suite::a_name_is_resolved_again_after_its_interval::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_name_is_not_resolved_at_each_dial() {
        suite::a_name_is_not_resolved_at_each_dial::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_name_that_fails_is_resolved_again_at_once() {
        suite::a_name_that_fails_is_resolved_again_at_once::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_name_outlives_its_resolver() {
        suite::a_name_outlives_its_resolver::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn seeds_can_be_replaced_at_run_time() {
        suite::seeds_can_be_replaced_at_run_time::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn three_nodes_form_over_ipv6() {
        suite::three_nodes_form_over_ipv6::<Tokio>().await;
    }
}

mod tls {
    use tidings_conformance::tls as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_cluster_with_certificates_on_both_sides_forms() {
        suite::a_cluster_with_certificates_on_both_sides_forms::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_cluster_with_certificates_on_one_side_forms() {
        suite::a_cluster_with_certificates_on_one_side_forms::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn certificates_change_in_mid_traffic() {
        suite::certificates_change_in_mid_traffic::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_bad_file_changes_nothing() {
        suite::a_bad_file_changes_nothing::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn bad_tls_settings_are_refused_with_a_reason() {
        suite::bad_tls_settings_are_refused_with_a_reason::<Tokio>().await;
    }
}

mod tls_refused {
    use tidings_conformance::tls_refused as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_peer_without_a_certificate_is_refused() {
        suite::a_peer_without_a_certificate_is_refused::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_peer_of_another_authority_is_refused() {
        suite::a_peer_of_another_authority_is_refused::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_peer_whose_certificate_has_expired_is_refused() {
        suite::a_peer_whose_certificate_has_expired_is_refused::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_member_that_speaks_as_another_is_refused() {
        suite::a_member_that_speaks_as_another_is_refused::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_member_in_the_place_of_another_is_refused() {
        suite::a_member_in_the_place_of_another_is_refused::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_speaks_as_another_is_refused() {
        suite::a_server_that_speaks_as_another_is_refused::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_plain_text_peer_is_refused() {
        suite::a_plain_text_peer_is_refused::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_tls_peer_at_a_plain_node_is_refused() {
        suite::a_tls_peer_at_a_plain_node_is_refused::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn silence_instead_of_tls_is_timed_out() {
        suite::silence_instead_of_tls_is_timed_out::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_is_refused_is_told() {
        suite::who_is_refused_is_told::<Tokio>().await;
    }
}

mod recording {
    use tidings_conformance::recording as suite;
    use tidings_tokio::Tokio;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_recorded_run_comes_out_the_same() {
        suite::a_recorded_run_comes_out_the_same::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_recording_is_on_disk_while_the_node_runs() {
        suite::a_recording_is_on_disk_while_the_node_runs::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_recording_is_begun_anew() {
        suite::a_full_recording_is_begun_anew::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_recording_of_an_earlier_run_is_kept() {
        suite::the_recording_of_an_earlier_run_is_kept::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn names_of_peers_are_recorded_and_keys_are_not() {
        suite::names_of_peers_are_recorded_and_keys_are_not::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_recording_that_fails_leaves_the_node_running() {
        suite::a_recording_that_fails_leaves_the_node_running::<Tokio>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_recording_that_can_not_be_begun_is_refused() {
        suite::a_recording_that_can_not_be_begun_is_refused::<Tokio>().await;
    }
}
