//! What connections cost that have asked once and then say nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::stack::{Failure, Stack};

/// One line for each proxy: its memory before and with `count` idle connections.
pub(crate) fn report(stacks: &[Stack], count: usize) -> Result<(), Failure> {
    let wanted = u64::try_from(count).unwrap_or(u64::MAX).saturating_add(256);
    vipd::net::files::allow(wanted)?;
    println!("\n{count} idle connections, resident KiB");
    println!("  {:<10}{:>12}{:>12}{:>12}{:>10}", "", "before", "with them", "KiB each", "of HAProxy");
    let mut haproxy = None;
    // HAProxy first, to compare with.
    let mut order: Vec<_> = stacks.iter().collect();
    order.sort_by_key(|stack| stack.name != "HAProxy");
    for stack in order {
        let before = stack.resident();
        let connections = (0..count).map(|_| ask(stack)).collect::<Result<Vec<_>, _>>()?;
        let with = stack.resident();
        let whole = *haproxy.get_or_insert(with);
        let each = number(with.saturating_sub(before)) / number(count as u64);
        let share = number(with) / number(whole);
        println!("  {:<10}{before:>12}{with:>12}{each:>12.2}{share:>10.2}", stack.name);
        drop(connections);
    }
    Ok(())
}

fn number(value: u64) -> f64 {
    u32::try_from(value).map_or(f64::INFINITY, f64::from)
}

/// A connection that has got an answer.
fn ask(stack: &Stack) -> Result<TcpStream, Failure> {
    let mut stream = TcpStream::connect(stack.address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET /small HTTP/1.1\r\nHost: bench\r\n\r\n")?;
    let mut got = Vec::new();
    let mut block = [0; 4096];
    while !got.ends_with(b"\r\n\r\nxxxxxxxxxxxxx") {
        match stream.read(&mut block)? {
            0 => return Err(Failure(format!("{} closed an idle connection", stack.name))),
            read => got.extend_from_slice(&block[..read]),
        }
    }
    Ok(stream)
}
