//! Chores of the masker workspace: `cargo xtask <command>`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod bench;
mod bench_smoke;
mod deny;
mod doc;
mod docs;
mod eval;
mod fmt;
mod fuzz;
mod generate;
mod instructions;
mod layers;
mod lexicon;
mod lint;
mod node;
mod packages;
mod python;
mod ready;
mod release;
mod shell;
mod soak;
mod source;
mod test;

use std::process::ExitCode;

use self::shell::Workspace;

const USAGE: &str = "\
usage: cargo xtask <command> [options]

  ready [--full]   everything that must hold before a change goes in; --full adds the long suites
  test             every test of the workspace, doc tests, the Python and the Node package included
  python [--adapters | --clusters]
                   the Python package alone; --adapters tests its adapters too, --clusters Spark and Ray
  node             the Node package alone
  fmt [--check]    format the sources, or fail where they are not formatted
  lint             clippy on all targets, warnings denied
  doc              build the documentation of the crates, missing items and broken links denied
  docs             build the pages of docs/ as a site, target/site/index.html
  stranger         follow the pages for newcomers in a fresh clone, literally
  layers           fail on an arrow against the module and crate order
  gen [--check]    write the generated files, or fail where they are stale
  eval             measure detection on labelled text beside the workspace, and write docs/eval.md
  bench [--peers] [--record] [--check]
                   measure the budgets in one table; --peers adds other libraries, --record writes benches/record,
                   --check fails where a budget is missed
  bench-smoke      run every benchmark once
  instructions [--record]
                   count instructions with valgrind, and fail above what was recorded; --record writes it anew
  fuzz [--seconds N] [--jobs N] [--record] [target...]
                   run the fuzz targets, all or some, N seconds each (60); --record writes benches/record
  deny             licences and sources of all dependencies
  versions [--tag TAG]
                   one version in every manifest, and a changelog that speaks of it; with a tag, of that version
  api [--check]    write the list of what is public in masker-core, or fail where it is stale
  dist [--target T]
                   the program in an archive with licences, bill of materials and checksums
  release --dry-run [STEP ...]
                   everything that a release needs, or the steps named; publishes nothing
  soak [--minutes N]
                   mixed load on the server and on one masker from Rust, Python and Node, 30 minutes if not said; fails on an
                   error and on growth of memory
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let workspace = Workspace::of_this_program();
    let outcome = match arguments.as_slice() {
        ["ready"] => ready::run(&workspace, ready::Extent::Usual),
        ["ready", "--full"] => ready::run(&workspace, ready::Extent::Full),
        ["test"] => test::run(&workspace),
        ["python"] => python::run(&workspace),
        ["python", "--adapters"] => python::run(&workspace).and_then(|()| python::run_adapters(&workspace)),
        ["python", "--clusters"] => python::run(&workspace).and_then(|()| python::run_clusters(&workspace)),
        ["node"] => node::run(&workspace),
        ["fmt"] => fmt::run(&workspace, fmt::Mode::Write),
        ["fmt", "--check"] => fmt::run(&workspace, fmt::Mode::Check),
        ["lint"] => lint::run(&workspace),
        ["doc"] => doc::run(&workspace),
        ["docs"] => docs::run(&workspace),
        ["stranger"] => test::run_stranger(&workspace),
        ["layers"] => layers::run(&workspace),
        ["gen"] => generate::run(&workspace, generate::Mode::Write),
        ["gen", "--check"] => generate::run(&workspace, generate::Mode::Check),
        ["eval"] => eval::run(&workspace),
        ["bench", options @ ..] if let Some(options) = bench::Options::from_arguments(options) => {
            bench::run(&workspace, options)
        }
        ["bench-smoke"] => bench_smoke::run(&workspace),
        ["instructions"] => instructions::run(&workspace, instructions::Mode::Check),
        ["instructions", "--record"] => instructions::run(&workspace, instructions::Mode::Record),
        ["fuzz", options @ ..] if let Some(options) = fuzz::Options::from_arguments(options) => {
            fuzz::run(&workspace, &options)
        }
        ["deny"] => deny::run(&workspace),
        ["versions"] => release::check_versions(&workspace, None),
        ["versions", "--tag", tag] => release::check_versions(&workspace, Some(tag)),
        ["api"] => release::write_api(&workspace),
        ["api", "--check"] => release::check_api(&workspace),
        ["dist"] => release::dist::run(&workspace, None),
        ["dist", "--target", target] => release::dist::run(&workspace, Some(target)),
        ["release", "--dry-run", steps @ ..] => release::dry_run(&workspace, steps),
        ["soak", options @ ..] if let Some(minutes) = soak::minutes(options) => {
            soak::run(&workspace, minutes)
        }
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
