//! A problem of the config with its line shown, as rustc does it.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::config::{Problem, Severity};

use super::super::terminal::Style;

/// Every problem with `file:line:column`, the line, a mark below the place and what to write; empty without
/// problems.
pub(crate) fn report(file_name: &str, text: &str, problems: &[Problem], style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let one = |problem: &Problem| renderer.render(&[group(file_name, text, problem)]);
    problems.iter().map(|problem| one(problem) + "\n\n").collect()
}

fn group<'p>(file_name: &'p str, text: &'p str, problem: &'p Problem) -> Group<'p> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let primary = AnnotationKind::Primary.span(problem.place.clone()).label(problem.label.as_deref());
    let mut snippet = Snippet::source(text).path(file_name).annotation(primary);
    if let Some((place, label)) = &problem.other {
        snippet = snippet.annotation(AnnotationKind::Context.span(place.clone()).label(label.as_str()));
    }
    let group = level.primary_title(problem.message.as_str()).element(snippet);
    match &problem.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}
