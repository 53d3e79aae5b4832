//! Work on several items at a time.

use std::iter;
use std::sync::Mutex;
use std::thread;

/// Does the work for each item, several at a time: most of it is waiting for git, or for Bitbucket.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    /// Who waits needs no processor.
    const AT_LEAST: usize = 8;
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let workers = workers.max(AT_LEAST);
    let left = Mutex::new(items.iter().enumerate());
    let take = || {
        let (index, item) = left.lock().ok()?.next()?;
        Some((index, work(item)))
    };
    let worker = || iter::from_fn(take).collect::<Vec<_>>();
    let mut done: Vec<(usize, R)> = thread::scope(|threads| {
        let workers = 0..workers.min(items.len());
        let workers: Vec<_> = workers.map(|_| threads.spawn(worker)).collect();
        let done = workers.into_iter().map(thread::ScopedJoinHandle::join);
        done.flat_map(|done| done.expect("no worker panics"))
            .collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
