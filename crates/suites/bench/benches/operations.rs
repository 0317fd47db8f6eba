//! Times single operations: `cargo bench`, here. See `docs/benchmarks.md` for what stands beside what.

use std::cell::RefCell;

use divan::Bencher;
use tidings_bench::operations::Operation;

fn main() {
    divan::main();
}

fn time(bencher: Bencher<'_, '_>, operation: Operation, nodes: usize) {
    let subject = RefCell::new(operation.subject(nodes).expect("the operation can be set up"));
    bencher
        .with_inputs(|| subject.borrow_mut().prepare().expect("the operation can be prepared"))
        .bench_local_values(|()| subject.borrow_mut().perform().expect("the operation can be done"));
}

// One time a sample: the preparation belongs to the time after it.

#[divan::bench(args = [100, 1000], sample_count = 200, sample_size = 1)]
fn tidings_answer(bencher: Bencher<'_, '_>, nodes: usize) {
    time(bencher, Operation::TidingsAnswer, nodes);
}

#[divan::bench(args = [100, 1000], sample_count = 200, sample_size = 1)]
fn chitchat_answer(bencher: Bencher<'_, '_>, nodes: usize) {
    time(bencher, Operation::ChitchatAnswer, nodes);
}

#[divan::bench(args = [100], sample_count = 200, sample_size = 1)]
fn chitchat_floor(bencher: Bencher<'_, '_>, nodes: usize) {
    time(bencher, Operation::ChitchatFloor, nodes);
}

#[divan::bench(args = [100, 1000], sample_count = 200, sample_size = 1)]
fn chitchat_syn(bencher: Bencher<'_, '_>, nodes: usize) {
    time(bencher, Operation::ChitchatSyn, nodes);
}

#[divan::bench(args = [100, 1000], sample_count = 200, sample_size = 1)]
fn tidings_liveness(bencher: Bencher<'_, '_>, nodes: usize) {
    time(bencher, Operation::TidingsLiveness, nodes);
}

#[divan::bench(args = [100, 1000], sample_count = 200, sample_size = 1)]
fn tidings_round(bencher: Bencher<'_, '_>, nodes: usize) {
    time(bencher, Operation::TidingsRound, nodes);
}

#[divan::bench(args = [100, 1000], sample_count = 200, sample_size = 1)]
fn chitchat_round(bencher: Bencher<'_, '_>, nodes: usize) {
    time(bencher, Operation::ChitchatRound, nodes);
}

#[divan::bench(args = [100], sample_count = 200, sample_size = 1)]
fn tidings_join(bencher: Bencher<'_, '_>, nodes: usize) {
    time(bencher, Operation::TidingsJoin, nodes);
}

#[divan::bench(args = [100], sample_count = 200, sample_size = 1)]
fn chitchat_join(bencher: Bencher<'_, '_>, nodes: usize) {
    time(bencher, Operation::ChitchatJoin, nodes);
}

#[divan::bench(args = [100], sample_count = 200, sample_size = 1)]
fn tidings_apply(bencher: Bencher<'_, '_>, nodes: usize) {
    time(bencher, Operation::TidingsApply, nodes);
}

#[divan::bench(args = [100], sample_count = 200, sample_size = 1)]
fn chitchat_apply(bencher: Bencher<'_, '_>, nodes: usize) {
    time(bencher, Operation::ChitchatApply, nodes);
}
