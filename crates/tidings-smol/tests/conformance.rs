//! The conformance suite on smol: one test for each scenario.

mod forming {
    use tidings_conformance::forming as suite;
    use tidings_smol::Smol;

    #[test]
    fn three_nodes_form_from_one_seed() {
        smol::block_on(suite::three_nodes_form_from_one_seed::<Smol>());
    }

    #[test]
    fn keys_set_changed_and_deleted_are_seen() {
        smol::block_on(suite::keys_set_changed_and_deleted_are_seen::<Smol>());
    }

    #[test]
    fn keys_are_published_again() {
        smol::block_on(suite::keys_are_published_again::<Smol>());
    }

    #[test]
    fn a_lifetime_ends_on_time() {
        smol::block_on(suite::a_lifetime_ends_on_time::<Smol>());
    }

    #[test]
    fn a_restarted_node_supersedes_its_former_run() {
        smol::block_on(suite::a_restarted_node_supersedes_its_former_run::<Smol>());
    }
}

mod addresses {
    use tidings_conformance::addresses as suite;
    use tidings_smol::Smol;

    #[test]
    fn port_zero_is_reported() {
        smol::block_on(suite::port_zero_is_reported::<Smol>());
    }

    #[test]
    fn listening_and_advertised_address_may_differ() {
        smol::block_on(suite::listening_and_advertised_address_may_differ::<Smol>());
    }

    #[test]
    fn host_names_are_resolved() {
        smol::block_on(suite::host_names_are_resolved::<Smol>());
    }

    #[test]
    fn all_addresses_of_a_host_are_tried() {
        smol::block_on(suite::all_addresses_of_a_host_are_tried::<Smol>());
    }

    #[test]
    fn the_advertised_address_changes_while_the_node_runs() {
        smol::block_on(suite::the_advertised_address_changes_while_the_node_runs::<Smol>());
    }

    #[test]
    fn the_identity_is_the_builders() {
        smol::block_on(suite::the_identity_is_the_builders::<Smol>());
    }

    #[test]
    fn bad_addresses_are_refused_with_a_reason() {
        smol::block_on(suite::bad_addresses_are_refused_with_a_reason::<Smol>());
    }

    #[test]
    fn bad_settings_are_refused_with_a_reason() {
        smol::block_on(suite::bad_settings_are_refused_with_a_reason::<Smol>());
    }
}

mod events {
    use tidings_conformance::events as suite;
    use tidings_smol::Smol;

    #[test]
    fn between_snapshot_and_events_there_is_no_gap() {
        smol::block_on(suite::between_snapshot_and_events_there_is_no_gap::<Smol>());
    }

    #[test]
    fn a_prefix_selects_key_changes() {
        smol::block_on(suite::a_prefix_selects_key_changes::<Smol>());
    }

    #[test]
    fn a_slow_subscriber_is_told_what_it_lost() {
        smol::block_on(suite::a_slow_subscriber_is_told_what_it_lost::<Smol>());
    }

    #[test]
    fn the_watch_follows_the_live_nodes() {
        smol::block_on(suite::the_watch_follows_the_live_nodes::<Smol>());
    }

    #[test]
    fn a_predicate_narrows_the_watch() {
        smol::block_on(suite::a_predicate_narrows_the_watch::<Smol>());
    }

    #[test]
    fn a_shutdown_lets_subscribers_read_to_the_end() {
        smol::block_on(suite::a_shutdown_lets_subscribers_read_to_the_end::<Smol>());
    }

    #[test]
    fn a_shutdown_does_not_wait_for_the_dropped() {
        smol::block_on(suite::a_shutdown_does_not_wait_for_the_dropped::<Smol>());
    }

    #[test]
    fn a_shutdown_waits_for_nobody_beyond_its_deadline() {
        smol::block_on(suite::a_shutdown_waits_for_nobody_beyond_its_deadline::<Smol>());
    }
}

mod history {
    use tidings_conformance::history as suite;
    use tidings_smol::Smol;

    #[test]
    fn both_sides_remember_an_exchange() {
        smol::block_on(suite::both_sides_remember_an_exchange::<Smol>());
    }

    #[test]
    fn exchanges_that_fail_are_remembered_as_such() {
        smol::block_on(suite::exchanges_that_fail_are_remembered_as_such::<Smol>());
    }
}

mod hostile {
    use tidings_conformance::hostile as suite;
    use tidings_smol::Smol;

    #[test]
    fn a_silent_peer_is_timed_out() {
        smol::block_on(suite::a_silent_peer_is_timed_out::<Smol>());
    }

    #[test]
    fn a_peer_that_stalls_is_timed_out() {
        smol::block_on(suite::a_peer_that_stalls_is_timed_out::<Smol>());
    }

    #[test]
    fn a_frame_that_never_ends_is_timed_out() {
        smol::block_on(suite::a_frame_that_never_ends_is_timed_out::<Smol>());
    }

    #[test]
    fn an_inbound_exchange_has_a_deadline_as_a_whole() {
        smol::block_on(suite::an_inbound_exchange_has_a_deadline_as_a_whole::<Smol>());
    }

    #[test]
    fn a_connection_closed_at_once_is_counted() {
        smol::block_on(suite::a_connection_closed_at_once_is_counted::<Smol>());
    }

    #[test]
    fn a_refused_dial_is_counted() {
        smol::block_on(suite::a_refused_dial_is_counted::<Smol>());
    }

    #[test]
    fn a_dialled_peer_that_is_silent_is_timed_out() {
        smol::block_on(suite::a_dialled_peer_that_is_silent_is_timed_out::<Smol>());
    }

    #[test]
    fn a_length_of_4_gib_is_rejected() {
        smol::block_on(suite::a_length_of_4_gib_is_rejected::<Smol>());
    }

    #[test]
    fn a_length_past_the_limit_is_rejected() {
        smol::block_on(suite::a_length_past_the_limit_is_rejected::<Smol>());
    }

    #[test]
    fn an_empty_frame_is_rejected() {
        smol::block_on(suite::an_empty_frame_is_rejected::<Smol>());
    }

    #[test]
    fn bytes_after_a_packet_are_rejected() {
        smol::block_on(suite::bytes_after_a_packet_are_rejected::<Smol>());
    }

    #[test]
    fn bytes_after_the_last_packet_are_rejected() {
        smol::block_on(suite::bytes_after_the_last_packet_are_rejected::<Smol>());
    }

    #[test]
    fn a_peer_that_does_not_read_is_timed_out() {
        smol::block_on(suite::a_peer_that_does_not_read_is_timed_out::<Smol>());
    }

    #[test]
    fn random_bytes_are_rejected() {
        smol::block_on(suite::random_bytes_are_rejected::<Smol>());
    }

    #[test]
    fn a_truncated_packet_is_rejected() {
        smol::block_on(suite::a_truncated_packet_is_rejected::<Smol>());
    }

    #[test]
    fn an_ack_that_comes_first_is_rejected() {
        smol::block_on(suite::an_ack_that_comes_first_is_rejected::<Smol>());
    }

    #[test]
    fn a_packet_of_another_cluster_is_rejected() {
        smol::block_on(suite::a_packet_of_another_cluster_is_rejected::<Smol>());
    }

    #[test]
    fn clusters_with_different_ids_stay_apart() {
        smol::block_on(suite::clusters_with_different_ids_stay_apart::<Smol>());
    }

    #[test]
    fn bad_answers_are_rejected() {
        smol::block_on(suite::bad_answers_are_rejected::<Smol>());
    }
}

mod limits {
    use tidings_conformance::limits as suite;
    use tidings_smol::Smol;

    #[test]
    fn inbound_exchanges_are_capped() {
        smol::block_on(suite::inbound_exchanges_are_capped::<Smol>());
    }

    #[test]
    fn outbound_exchanges_are_capped() {
        smol::block_on(suite::outbound_exchanges_are_capped::<Smol>());
    }

    #[test]
    fn rounds_go_on_while_peers_hang() {
        smol::block_on(suite::rounds_go_on_while_peers_hang::<Smol>());
    }

    #[test]
    fn honest_exchanges_succeed_beside_silent_connections() {
        smol::block_on(suite::honest_exchanges_succeed_beside_silent_connections::<Smol>());
    }

    #[test]
    fn accepting_survives_a_lack_of_file_descriptors() {
        smol::block_on(suite::accepting_survives_a_lack_of_file_descriptors::<Smol>());
    }
}

mod lifecycle {
    use tidings_conformance::lifecycle as suite;
    use tidings_smol::Smol;

    #[test]
    fn a_node_that_leaves_is_seen_as_left() {
        smol::block_on(suite::a_node_that_leaves_is_seen_as_left::<Smol>());
    }

    #[test]
    fn leaving_does_not_wait_for_a_round() {
        smol::block_on(suite::leaving_does_not_wait_for_a_round::<Smol>());
    }

    #[test]
    fn leaving_over_tls_counts_at_once() {
        smol::block_on(suite::leaving_over_tls_counts_at_once::<Smol>());
    }

    #[test]
    fn leaving_alone_tells_nobody() {
        smol::block_on(suite::leaving_alone_tells_nobody::<Smol>());
    }

    #[test]
    fn a_shutdown_frees_the_port() {
        smol::block_on(suite::a_shutdown_frees_the_port::<Smol>());
    }

    #[test]
    fn a_shutdown_finishes_open_exchanges() {
        smol::block_on(suite::a_shutdown_finishes_open_exchanges::<Smol>());
    }

    #[test]
    fn a_shutdown_ends_with_the_deadlines_of_exchanges() {
        smol::block_on(suite::a_shutdown_ends_with_the_deadlines_of_exchanges::<Smol>());
    }

    #[test]
    fn dropping_the_last_handle_stops_the_node() {
        smol::block_on(suite::dropping_the_last_handle_stops_the_node::<Smol>());
    }

    #[test]
    fn leaving_has_a_deadline() {
        smol::block_on(suite::leaving_has_a_deadline::<Smol>());
    }
}

mod names {
    use tidings_conformance::names as suite;
    use tidings_smol::Smol;

    #[test]
    fn a_member_does_not_get_the_name_of_another() {
        smol::block_on(suite::a_member_does_not_get_the_name_of_another::<Smol>());
    }

    #[test]
    fn a_renewed_certificate_keeps_the_name() {
        smol::block_on(suite::a_renewed_certificate_keeps_the_name::<Smol>());
    }

    #[test]
    fn a_forgotten_name_is_free() {
        smol::block_on(suite::a_forgotten_name_is_free::<Smol>());
    }

    #[test]
    fn names_must_be_tls_names_where_that_is_set() {
        smol::block_on(suite::names_must_be_tls_names_where_that_is_set::<Smol>());
    }
}

mod seeds {
    use tidings_conformance::seeds as suite;
    use tidings_smol::Smol;

    #[test]
    fn a_name_of_all_nodes_makes_a_cluster() {
        smol::block_on(suite::a_name_of_all_nodes_makes_a_cluster::<Smol>());
    }

    #[test]
    fn a_name_that_is_only_this_node_is_kept() {
        smol::block_on(suite::a_name_that_is_only_this_node_is_kept::<Smol>());
    }

    #[test]
    fn each_address_of_a_name_has_its_turn() {
        smol::block_on(suite::each_address_of_a_name_has_its_turn::<Smol>());
    }

    #[test]
    fn a_name_is_resolved_again_after_its_interval() {
        smol::block_on(suite::a_name_is_resolved_again_after_its_interval::<Smol>());
    }

    #[test]
    fn a_name_is_not_resolved_at_each_dial() {
        smol::block_on(suite::a_name_is_not_resolved_at_each_dial::<Smol>());
    }

    #[test]
    fn a_name_that_fails_is_resolved_again_at_once() {
        smol::block_on(suite::a_name_that_fails_is_resolved_again_at_once::<Smol>());
    }

    #[test]
    fn a_name_outlives_its_resolver() {
        smol::block_on(suite::a_name_outlives_its_resolver::<Smol>());
    }

    #[test]
    fn seeds_can_be_replaced_at_run_time() {
        smol::block_on(suite::seeds_can_be_replaced_at_run_time::<Smol>());
    }

    #[test]
    fn three_nodes_form_over_ipv6() {
        smol::block_on(suite::three_nodes_form_over_ipv6::<Smol>());
    }
}

mod tls {
    use tidings_conformance::tls as suite;
    use tidings_smol::Smol;

    #[test]
    fn a_cluster_with_certificates_on_both_sides_forms() {
        smol::block_on(suite::a_cluster_with_certificates_on_both_sides_forms::<Smol>());
    }

    #[test]
    fn a_cluster_with_certificates_on_one_side_forms() {
        smol::block_on(suite::a_cluster_with_certificates_on_one_side_forms::<Smol>());
    }

    #[test]
    fn certificates_change_in_mid_traffic() {
        smol::block_on(suite::certificates_change_in_mid_traffic::<Smol>());
    }

    #[test]
    fn a_bad_file_changes_nothing() {
        smol::block_on(suite::a_bad_file_changes_nothing::<Smol>());
    }

    #[test]
    fn bad_tls_settings_are_refused_with_a_reason() {
        smol::block_on(suite::bad_tls_settings_are_refused_with_a_reason::<Smol>());
    }
}

mod tls_refused {
    use tidings_conformance::tls_refused as suite;
    use tidings_smol::Smol;

    #[test]
    fn a_peer_without_a_certificate_is_refused() {
        smol::block_on(suite::a_peer_without_a_certificate_is_refused::<Smol>());
    }

    #[test]
    fn a_peer_of_another_authority_is_refused() {
        smol::block_on(suite::a_peer_of_another_authority_is_refused::<Smol>());
    }

    #[test]
    fn a_peer_whose_certificate_has_expired_is_refused() {
        smol::block_on(suite::a_peer_whose_certificate_has_expired_is_refused::<Smol>());
    }

    #[test]
    fn a_member_that_speaks_as_another_is_refused() {
        smol::block_on(suite::a_member_that_speaks_as_another_is_refused::<Smol>());
    }

    #[test]
    fn a_member_in_the_place_of_another_is_refused() {
        smol::block_on(suite::a_member_in_the_place_of_another_is_refused::<Smol>());
    }

    #[test]
    fn a_server_that_speaks_as_another_is_refused() {
        smol::block_on(suite::a_server_that_speaks_as_another_is_refused::<Smol>());
    }

    #[test]
    fn a_plain_text_peer_is_refused() {
        smol::block_on(suite::a_plain_text_peer_is_refused::<Smol>());
    }

    #[test]
    fn a_tls_peer_at_a_plain_node_is_refused() {
        smol::block_on(suite::a_tls_peer_at_a_plain_node_is_refused::<Smol>());
    }

    #[test]
    fn silence_instead_of_tls_is_timed_out() {
        smol::block_on(suite::silence_instead_of_tls_is_timed_out::<Smol>());
    }

    #[test]
    fn who_is_refused_is_told() {
        smol::block_on(suite::who_is_refused_is_told::<Smol>());
    }
}

mod recording {
    use tidings_conformance::recording as suite;
    use tidings_smol::Smol;

    #[test]
    fn a_recorded_run_comes_out_the_same() {
        smol::block_on(suite::a_recorded_run_comes_out_the_same::<Smol>());
    }

    #[test]
    fn a_recording_is_on_disk_while_the_node_runs() {
        smol::block_on(suite::a_recording_is_on_disk_while_the_node_runs::<Smol>());
    }

    #[test]
    fn a_full_recording_is_begun_anew() {
        smol::block_on(suite::a_full_recording_is_begun_anew::<Smol>());
    }

    #[test]
    fn the_recording_of_an_earlier_run_is_kept() {
        smol::block_on(suite::the_recording_of_an_earlier_run_is_kept::<Smol>());
    }

    #[test]
    fn names_of_peers_are_recorded_and_keys_are_not() {
        smol::block_on(suite::names_of_peers_are_recorded_and_keys_are_not::<Smol>());
    }

    #[test]
    fn a_recording_that_fails_leaves_the_node_running() {
        smol::block_on(suite::a_recording_that_fails_leaves_the_node_running::<Smol>());
    }

    #[test]
    fn a_recording_that_can_not_be_begun_is_refused() {
        smol::block_on(suite::a_recording_that_can_not_be_begun_is_refused::<Smol>());
    }
}
