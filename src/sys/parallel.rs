//! Work on several items at a time.

use std::thread;

/// Does the work for each item, several at a time: most of it is waiting for git, or for Bitbucket.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    /// Who waits needs no processor.
    const AT_LEAST: usize = 8;
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let workers = workers.max(AT_LEAST);
    let share = items.len().div_ceil(workers).max(1);
    let work = &work;
    thread::scope(|threads| {
        let do_part = |part: &'_ [T]| part.iter().map(work).collect::<Vec<_>>();
        let parts = items.chunks(share);
        let parts: Vec<_> = parts
            .map(|part| threads.spawn(move || do_part(part)))
            .collect();
        let done = parts.into_iter().map(thread::ScopedJoinHandle::join);
        done.flat_map(|done| done.expect("no worker panics"))
            .collect()
    })
}
