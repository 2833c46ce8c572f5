//! Every rule of `tidy`, put to this tree. A failure lists all violations of its rule.

use std::io;

use tidy::tree::Tree;
use tidy::{Violations, dependencies, documents, layout, secrets, sources, words};

fn holds(rule: fn(&Tree) -> Violations) -> io::Result<()> {
    let violations = rule(&Tree::of_workspace()?);
    assert!(violations.is_empty(), "{} found:\n{}", violations.len(), violations.join("\n"));
    Ok(())
}

macro_rules! stories {
    ($($story:ident => $rule:path;)*) => {
        $(#[test]
        fn $story() -> io::Result<()> {
            holds($rule)
        })*
    };
}

stories! {
    dependencies_point_one_way_and_services_do_not_know_each_other => dependencies::direction;
    the_pure_crates_depend_on_nothing_that_waits_or_draws_lots => dependencies::purity;
    only_its_adapter_names_a_technology => dependencies::adapters;
    versions_and_lints_are_decided_at_the_root => dependencies::policy;
    the_domain_has_no_clock_no_chance_and_no_outside => sources::purity;
    only_the_journal_syncs_a_log => sources::syncs;
    nothing_is_left_unfinished_and_no_test_ignored => sources::unfinished;
    no_test_sleeps => sources::sleeps;
    no_file_is_too_long => layout::sizes;
    no_line_is_too_wide => layout::columns;
    a_module_begins_with_at_most_eight_lines => layout::module_heads;
    files_are_named_after_the_field => layout::names;
    the_top_level_holds_what_the_layout_names => layout::top_level;
    every_event_says_when_it_is_recorded => words::events;
    the_words_have_no_maps => words::maps;
    no_secret_is_in_the_tree => secrets::secrets;
    the_tree_names_nothing_beside_it => secrets::paths_out_of_the_tree;
    readme_and_architecture_stand_and_are_short => documents::present_and_short;
    every_path_in_a_document_exists => documents::paths;
    documents_have_one_sentence_a_line => documents::sentences;
    ci_runs_the_test_command_of_the_readme => documents::test_command;
}
