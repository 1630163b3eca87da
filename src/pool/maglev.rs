//! Consistent hashing: a table that says for every digest who gets it, and hardly changes when a server comes or goes.
//!
//! Maglev (Eisenbud et al., NSDI 2016, §3.4): every server has an order of its own in which it would like the places of
//! the table, made of its name; they take turns to claim the next free one. With weights a server takes part in as
//! many turns as its weight is to the largest. All nodes with the same servers make the same table.

use super::Server;
use super::digest::{digest, mix};

/// Sizes, all prime (those of the paper): the smallest with 100 places a server, or the last one.
const SIZES: [usize; 2] = [65_537, 655_373];

/// Who gets which digest.
#[derive(Clone, Debug)]
pub(super) struct Table(Box<[u16]>);

/// Nobody has claimed this place yet. No server has it: there are fewer.
const FREE: u16 = u16::MAX;

impl Table {
    /// The table of these servers, none of weight 0; empty when there is none.
    pub(super) fn new(servers: &[Server]) -> Self {
        if servers.is_empty() {
            return Self(Box::default());
        }
        let size = SIZES.into_iter().find(|size| servers.len() * 100 <= *size).unwrap_or(SIZES[1]);
        let most = servers.iter().map(|server| u32::from(server.weight)).max().unwrap_or(1);
        let mut wishes: Vec<_> = servers.iter().map(|server| Wishes::new(&server.name, size)).collect();
        let mut credit = vec![0; servers.len()];
        let mut table = vec![FREE; size];
        let mut free = size;
        loop {
            for (place, server) in servers.iter().enumerate() {
                credit[place] += u32::from(server.weight);
                if credit[place] < most {
                    continue;
                }
                credit[place] -= most;
                let wish = wishes[place].next_free(&table);
                table[wish] = u16::try_from(place).unwrap_or(0);
                free -= 1;
                if free == 0 {
                    return Self(table.into());
                }
            }
        }
    }

    /// Who gets this digest; the table must not be empty. With `next` the places behind the first one, for retries.
    pub(super) fn place(&self, digest: u64, next: usize) -> usize {
        let size = u64::try_from(self.0.len()).unwrap_or(1);
        let first = usize::try_from(digest % size).unwrap_or(0);
        usize::from(self.0[(first + next) % self.0.len()])
    }

    /// The whole table, for whoever counts.
    #[cfg(test)]
    pub(super) fn places(&self) -> &[u16] {
        &self.0
    }
}

/// In which order a server would like the places.
struct Wishes {
    next: usize,
    skip: usize,
    size: usize,
}

impl Wishes {
    fn new(name: &str, size: usize) -> Self {
        let offset = digest(name.as_bytes());
        let within = |digest: u64, size: usize| {
            let size = u64::try_from(size).unwrap_or(u64::MAX);
            usize::try_from(digest % size).unwrap_or(0)
        };
        // The size is prime: every skip but 0 leads to every place.
        Self { next: within(offset, size), skip: within(mix(!offset), size - 1) + 1, size }
    }

    fn next_free(&mut self, table: &[u16]) -> usize {
        loop {
            let wish = self.next;
            self.next += self.skip;
            if self.next >= self.size {
                self.next -= self.size;
            }
            if table[wish] == FREE {
                return wish;
            }
        }
    }
}
