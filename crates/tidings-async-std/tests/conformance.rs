//! The conformance suite on async-std: one test for each scenario.

mod forming {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::forming as suite;

    #[test]
    fn three_nodes_form_from_one_seed() {
        async_std::task::block_on(suite::three_nodes_form_from_one_seed::<AsyncStd>());
    }

    #[test]
    fn keys_set_changed_and_deleted_are_seen() {
        async_std::task::block_on(suite::keys_set_changed_and_deleted_are_seen::<AsyncStd>());
    }

    #[test]
    fn keys_are_published_again() {
        async_std::task::block_on(suite::keys_are_published_again::<AsyncStd>());
    }

    #[test]
    fn a_lifetime_ends_on_time() {
        async_std::task::block_on(suite::a_lifetime_ends_on_time::<AsyncStd>());
    }

    #[test]
    fn a_restarted_node_supersedes_its_former_run() {
        async_std::task::block_on(suite::a_restarted_node_supersedes_its_former_run::<AsyncStd>());
    }
}

mod addresses {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::addresses as suite;

    #[test]
    fn port_zero_is_reported() {
        async_std::task::block_on(suite::port_zero_is_reported::<AsyncStd>());
    }

    #[test]
    fn listening_and_advertised_address_may_differ() {
        async_std::task::block_on(suite::listening_and_advertised_address_may_differ::<AsyncStd>());
    }

    #[test]
    fn host_names_are_resolved() {
        async_std::task::block_on(suite::host_names_are_resolved::<AsyncStd>());
    }

    #[test]
    fn all_addresses_of_a_host_are_tried() {
        async_std::task::block_on(suite::all_addresses_of_a_host_are_tried::<AsyncStd>());
    }

    #[test]
    fn the_advertised_address_changes_while_the_node_runs() {
        async_std::task::block_on(suite::the_advertised_address_changes_while_the_node_runs::<AsyncStd>());
    }

    #[test]
    fn the_identity_is_the_builders() {
        async_std::task::block_on(suite::the_identity_is_the_builders::<AsyncStd>());
    }

    #[test]
    fn bad_addresses_are_refused_with_a_reason() {
        async_std::task::block_on(suite::bad_addresses_are_refused_with_a_reason::<AsyncStd>());
    }

    #[test]
    fn bad_settings_are_refused_with_a_reason() {
        async_std::task::block_on(suite::bad_settings_are_refused_with_a_reason::<AsyncStd>());
    }
}

mod events {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::events as suite;

    #[test]
    fn between_snapshot_and_events_there_is_no_gap() {
        async_std::task::block_on(suite::between_snapshot_and_events_there_is_no_gap::<AsyncStd>());
    }

    #[test]
    fn a_prefix_selects_key_changes() {
        async_std::task::block_on(suite::a_prefix_selects_key_changes::<AsyncStd>());
    }

    #[test]
    fn a_slow_subscriber_is_told_what_it_lost() {
        async_std::task::block_on(suite::a_slow_subscriber_is_told_what_it_lost::<AsyncStd>());
    }

    #[test]
    fn the_watch_follows_the_live_nodes() {
        async_std::task::block_on(suite::the_watch_follows_the_live_nodes::<AsyncStd>());
    }

    #[test]
    fn a_predicate_narrows_the_watch() {
        async_std::task::block_on(suite::a_predicate_narrows_the_watch::<AsyncStd>());
    }

    #[test]
    fn a_shutdown_lets_subscribers_read_to_the_end() {
        async_std::task::block_on(suite::a_shutdown_lets_subscribers_read_to_the_end::<AsyncStd>());
    }

    #[test]
    fn a_shutdown_does_not_wait_for_the_dropped() {
        async_std::task::block_on(suite::a_shutdown_does_not_wait_for_the_dropped::<AsyncStd>());
    }

    #[test]
    fn a_shutdown_waits_for_nobody_beyond_its_deadline() {
        async_std::task::block_on(suite::a_shutdown_waits_for_nobody_beyond_its_deadline::<AsyncStd>());
    }
}

mod history {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::history as suite;

    #[test]
    fn both_sides_remember_an_exchange() {
        async_std::task::block_on(suite::both_sides_remember_an_exchange::<AsyncStd>());
    }

    #[test]
    fn exchanges_that_fail_are_remembered_as_such() {
        async_std::task::block_on(suite::exchanges_that_fail_are_remembered_as_such::<AsyncStd>());
    }
}

mod hostile {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::hostile as suite;

    #[test]
    fn a_silent_peer_is_timed_out() {
        async_std::task::block_on(suite::a_silent_peer_is_timed_out::<AsyncStd>());
    }

    #[test]
    fn a_peer_that_stalls_is_timed_out() {
        async_std::task::block_on(suite::a_peer_that_stalls_is_timed_out::<AsyncStd>());
    }

    #[test]
    fn a_frame_that_never_ends_is_timed_out() {
        async_std::task::block_on(suite::a_frame_that_never_ends_is_timed_out::<AsyncStd>());
    }

    #[test]
    fn an_inbound_exchange_has_a_deadline_as_a_whole() {
        async_std::task::block_on(suite::an_inbound_exchange_has_a_deadline_as_a_whole::<AsyncStd>());
    }

    #[test]
    fn a_connection_closed_at_once_is_counted() {
        async_std::task::block_on(suite::a_connection_closed_at_once_is_counted::<AsyncStd>());
    }

    #[test]
    fn a_refused_dial_is_counted() {
        async_std::task::block_on(suite::a_refused_dial_is_counted::<AsyncStd>());
    }

    #[test]
    fn a_dialled_peer_that_is_silent_is_timed_out() {
        async_std::task::block_on(suite::a_dialled_peer_that_is_silent_is_timed_out::<AsyncStd>());
    }

    #[test]
    fn a_length_of_4_gib_is_rejected() {
        async_std::task::block_on(suite::a_length_of_4_gib_is_rejected::<AsyncStd>());
    }

    #[test]
    fn a_length_past_the_limit_is_rejected() {
        async_std::task::block_on(suite::a_length_past_the_limit_is_rejected::<AsyncStd>());
    }

    #[test]
    fn an_empty_frame_is_rejected() {
        async_std::task::block_on(suite::an_empty_frame_is_rejected::<AsyncStd>());
    }

    #[test]
    fn bytes_after_a_packet_are_rejected() {
        async_std::task::block_on(suite::bytes_after_a_packet_are_rejected::<AsyncStd>());
    }

    #[test]
    fn bytes_after_the_last_packet_are_rejected() {
        async_std::task::block_on(suite::bytes_after_the_last_packet_are_rejected::<AsyncStd>());
    }

    #[test]
    fn a_peer_that_does_not_read_is_timed_out() {
        async_std::task::block_on(suite::a_peer_that_does_not_read_is_timed_out::<AsyncStd>());
    }

    #[test]
    fn random_bytes_are_rejected() {
        async_std::task::block_on(suite::random_bytes_are_rejected::<AsyncStd>());
    }

    #[test]
    fn a_truncated_packet_is_rejected() {
        async_std::task::block_on(suite::a_truncated_packet_is_rejected::<AsyncStd>());
    }

    #[test]
    fn an_ack_that_comes_first_is_rejected() {
        async_std::task::block_on(suite::an_ack_that_comes_first_is_rejected::<AsyncStd>());
    }

    #[test]
    fn a_packet_of_another_cluster_is_rejected() {
        async_std::task::block_on(suite::a_packet_of_another_cluster_is_rejected::<AsyncStd>());
    }

    #[test]
    fn clusters_with_different_ids_stay_apart() {
        async_std::task::block_on(suite::clusters_with_different_ids_stay_apart::<AsyncStd>());
    }

    #[test]
    fn bad_answers_are_rejected() {
        async_std::task::block_on(suite::bad_answers_are_rejected::<AsyncStd>());
    }
}

mod limits {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::limits as suite;

    #[test]
    fn inbound_exchanges_are_capped() {
        async_std::task::block_on(suite::inbound_exchanges_are_capped::<AsyncStd>());
    }

    #[test]
    fn outbound_exchanges_are_capped() {
        async_std::task::block_on(suite::outbound_exchanges_are_capped::<AsyncStd>());
    }

    #[test]
    fn rounds_go_on_while_peers_hang() {
        async_std::task::block_on(suite::rounds_go_on_while_peers_hang::<AsyncStd>());
    }

    #[test]
    fn honest_exchanges_succeed_beside_silent_connections() {
        async_std::task::block_on(suite::honest_exchanges_succeed_beside_silent_connections::<AsyncStd>());
    }

    #[test]
    fn accepting_survives_a_lack_of_file_descriptors() {
        async_std::task::block_on(suite::accepting_survives_a_lack_of_file_descriptors::<AsyncStd>());
    }
}

mod lifecycle {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::lifecycle as suite;

    #[test]
    fn a_node_that_leaves_is_seen_as_left() {
        async_std::task::block_on(suite::a_node_that_leaves_is_seen_as_left::<AsyncStd>());
    }

    #[test]
    fn leaving_does_not_wait_for_a_round() {
        async_std::task::block_on(suite::leaving_does_not_wait_for_a_round::<AsyncStd>());
    }

    #[test]
    fn leaving_over_tls_counts_at_once() {
        async_std::task::block_on(suite::leaving_over_tls_counts_at_once::<AsyncStd>());
    }

    #[test]
    fn leaving_alone_tells_nobody() {
        async_std::task::block_on(suite::leaving_alone_tells_nobody::<AsyncStd>());
    }

    #[test]
    fn a_shutdown_frees_the_port() {
        async_std::task::block_on(suite::a_shutdown_frees_the_port::<AsyncStd>());
    }

    #[test]
    fn a_shutdown_finishes_open_exchanges() {
        async_std::task::block_on(suite::a_shutdown_finishes_open_exchanges::<AsyncStd>());
    }

    #[test]
    fn a_shutdown_ends_with_the_deadlines_of_exchanges() {
        async_std::task::block_on(suite::a_shutdown_ends_with_the_deadlines_of_exchanges::<AsyncStd>());
    }

    #[test]
    fn dropping_the_last_handle_stops_the_node() {
        async_std::task::block_on(suite::dropping_the_last_handle_stops_the_node::<AsyncStd>());
    }

    #[test]
    fn leaving_has_a_deadline() {
        async_std::task::block_on(suite::leaving_has_a_deadline::<AsyncStd>());
    }
}

mod names {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::names as suite;

    #[test]
    fn a_member_does_not_get_the_name_of_another() {
        async_std::task::block_on(suite::a_member_does_not_get_the_name_of_another::<AsyncStd>());
    }

    #[test]
    fn a_renewed_certificate_keeps_the_name() {
        async_std::task::block_on(suite::a_renewed_certificate_keeps_the_name::<AsyncStd>());
    }

    #[test]
    fn a_forgotten_name_is_free() {
        async_std::task::block_on(suite::a_forgotten_name_is_free::<AsyncStd>());
    }

    #[test]
    fn names_must_be_tls_names_where_that_is_set() {
        async_std::task::block_on(suite::names_must_be_tls_names_where_that_is_set::<AsyncStd>());
    }
}

mod seeds {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::seeds as suite;

    #[test]
    fn a_name_of_all_nodes_makes_a_cluster() {
        async_std::task::block_on(suite::a_name_of_all_nodes_makes_a_cluster::<AsyncStd>());
    }

    #[test]
    fn a_name_that_is_only_this_node_is_kept() {
        async_std::task::block_on(suite::a_name_that_is_only_this_node_is_kept::<AsyncStd>());
    }

    #[test]
    fn each_address_of_a_name_has_its_turn() {
        async_std::task::block_on(suite::each_address_of_a_name_has_its_turn::<AsyncStd>());
    }

    #[test]
    fn a_name_is_resolved_again_after_its_interval() {
        async_std::task::block_on(suite::a_name_is_resolved_again_after_its_interval::<AsyncStd>());
    }

    #[test]
    fn a_name_is_not_resolved_at_each_dial() {
        async_std::task::block_on(suite::a_name_is_not_resolved_at_each_dial::<AsyncStd>());
    }

    #[test]
    fn a_name_that_fails_is_resolved_again_at_once() {
        async_std::task::block_on(suite::a_name_that_fails_is_resolved_again_at_once::<AsyncStd>());
    }

    #[test]
    fn a_name_outlives_its_resolver() {
        async_std::task::block_on(suite::a_name_outlives_its_resolver::<AsyncStd>());
    }

    #[test]
    fn seeds_can_be_replaced_at_run_time() {
        async_std::task::block_on(suite::seeds_can_be_replaced_at_run_time::<AsyncStd>());
    }

    #[test]
    fn three_nodes_form_over_ipv6() {
        async_std::task::block_on(suite::three_nodes_form_over_ipv6::<AsyncStd>());
    }
}

mod tls {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::tls as suite;

    #[test]
    fn a_cluster_with_certificates_on_both_sides_forms() {
        async_std::task::block_on(suite::a_cluster_with_certificates_on_both_sides_forms::<AsyncStd>());
    }

    #[test]
    fn a_cluster_with_certificates_on_one_side_forms() {
        async_std::task::block_on(suite::a_cluster_with_certificates_on_one_side_forms::<AsyncStd>());
    }

    #[test]
    fn certificates_change_in_mid_traffic() {
        async_std::task::block_on(suite::certificates_change_in_mid_traffic::<AsyncStd>());
    }

    #[test]
    fn a_bad_file_changes_nothing() {
        async_std::task::block_on(suite::a_bad_file_changes_nothing::<AsyncStd>());
    }

    #[test]
    fn bad_tls_settings_are_refused_with_a_reason() {
        async_std::task::block_on(suite::bad_tls_settings_are_refused_with_a_reason::<AsyncStd>());
    }
}

mod tls_refused {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::tls_refused as suite;

    #[test]
    fn a_peer_without_a_certificate_is_refused() {
        async_std::task::block_on(suite::a_peer_without_a_certificate_is_refused::<AsyncStd>());
    }

    #[test]
    fn a_peer_of_another_authority_is_refused() {
        async_std::task::block_on(suite::a_peer_of_another_authority_is_refused::<AsyncStd>());
    }

    #[test]
    fn a_peer_whose_certificate_has_expired_is_refused() {
        async_std::task::block_on(suite::a_peer_whose_certificate_has_expired_is_refused::<AsyncStd>());
    }

    #[test]
    fn a_member_that_speaks_as_another_is_refused() {
        async_std::task::block_on(suite::a_member_that_speaks_as_another_is_refused::<AsyncStd>());
    }

    #[test]
    fn a_member_in_the_place_of_another_is_refused() {
        async_std::task::block_on(suite::a_member_in_the_place_of_another_is_refused::<AsyncStd>());
    }

    #[test]
    fn a_server_that_speaks_as_another_is_refused() {
        async_std::task::block_on(suite::a_server_that_speaks_as_another_is_refused::<AsyncStd>());
    }

    #[test]
    fn a_plain_text_peer_is_refused() {
        async_std::task::block_on(suite::a_plain_text_peer_is_refused::<AsyncStd>());
    }

    #[test]
    fn a_tls_peer_at_a_plain_node_is_refused() {
        async_std::task::block_on(suite::a_tls_peer_at_a_plain_node_is_refused::<AsyncStd>());
    }

    #[test]
    fn silence_instead_of_tls_is_timed_out() {
        async_std::task::block_on(suite::silence_instead_of_tls_is_timed_out::<AsyncStd>());
    }

    #[test]
    fn who_is_refused_is_told() {
        async_std::task::block_on(suite::who_is_refused_is_told::<AsyncStd>());
    }
}

mod recording {
    use tidings_async_std::AsyncStd;
    use tidings_conformance::recording as suite;

    #[test]
    fn a_recorded_run_comes_out_the_same() {
        async_std::task::block_on(suite::a_recorded_run_comes_out_the_same::<AsyncStd>());
    }

    #[test]
    fn a_recording_is_on_disk_while_the_node_runs() {
        async_std::task::block_on(suite::a_recording_is_on_disk_while_the_node_runs::<AsyncStd>());
    }

    #[test]
    fn a_full_recording_is_begun_anew() {
        async_std::task::block_on(suite::a_full_recording_is_begun_anew::<AsyncStd>());
    }

    #[test]
    fn the_recording_of_an_earlier_run_is_kept() {
        async_std::task::block_on(suite::the_recording_of_an_earlier_run_is_kept::<AsyncStd>());
    }

    #[test]
    fn names_of_peers_are_recorded_and_keys_are_not() {
        async_std::task::block_on(suite::names_of_peers_are_recorded_and_keys_are_not::<AsyncStd>());
    }

    #[test]
    fn a_recording_that_fails_leaves_the_node_running() {
        async_std::task::block_on(suite::a_recording_that_fails_leaves_the_node_running::<AsyncStd>());
    }

    #[test]
    fn a_recording_that_can_not_be_begun_is_refused() {
        async_std::task::block_on(suite::a_recording_that_can_not_be_begun_is_refused::<AsyncStd>());
    }
}
