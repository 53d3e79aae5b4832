//! Work on several items at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does the work for each item, several at a time: most of it is waiting for git.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return done;
            };
            done.push((index, work(item)));
        }
    };
    let mut done: Vec<(usize, R)> = thread::scope(|threads| {
        let workers: Vec<_> = (0..workers.min(items.len()))
            .map(|_| threads.spawn(worker))
            .collect();
        let done = workers
            .into_iter()
            .map(|worker| worker.join().expect("no worker panics"));
        done.flatten().collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
