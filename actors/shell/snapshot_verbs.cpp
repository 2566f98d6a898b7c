// SPDX-License-Identifier: Apache-2.0
// flatten, verify, export, import: what is done to snapshots that are there.
#include <algorithm>

#include "actors/shell/connection.hpp"
#include "actors/shell/signals.hpp"
#include "actors/shell/snapshot_text.hpp"
#include "actors/shell/verb.hpp"
#include "actors/shell/waiting.hpp"

namespace forkfleet::shell {
namespace {

constexpr milliseconds upkeep_limit{600'000};
/// What the tool waits for beyond the request's own deadline.
constexpr milliseconds upkeep_slack{5000};

milliseconds upkeep_deadline(const config::invocation& given) {
  return given.duration("deadline").value_or(upkeep_limit);
}

/// Asks, and waits in sight of who watches.
template <class Reply, class Request>
expected<Reply> ask_long(session& io, client& fleet, const Request& request,
                         const std::string& what) {
  const farewell words{what + " goes on without us; see: forkfleet events"};
  return wait_with_line(io, what, [&fleet, &request] {
    return fleet.ask<Reply>(request, request.deadline + upkeep_slack);
  });
}

exit_code run_flatten(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto tag = given.positional("SNAPSHOT");
  const flatten_request request{.tag = {tag},
                                .deadline = upkeep_deadline(given)};
  const auto answer =
    ask_long<done>(io, reached->fleet, request, "the flattening of " + tag);
  if (!answer)
    return tell(io, given, answer.error());
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format, schema::to_json(*answer));
  else if (answer->note.empty())
    io.out << "flattened " << printable(tag) << '\n';
  else
    io.out << printable(tag + ": " + answer->note) << '\n';
  return exit_code::done;
}

/// One verification; an error of the fleet becomes its outcome.
verify_report verify_one(session& io, client& fleet, const snapshot_tag& tag,
                         milliseconds deadline) {
  const verify_request request{.tag = tag, .deadline = deadline};
  auto report = ask_long<verify_report>(io, fleet, request,
                                        "the verification of " + tag.value);
  return report ? *report
                : verify_report{.tag = tag, .outcome = report.error()};
}

/// Verifies all snapshots of the fleet, one after the other.
exit_code verify_all(session& io, const config::invocation& given,
                     client& fleet) {
  const auto all = all_snapshots(fleet, timeout_of(given));
  if (!all)
    return tell(io, given, all.error());
  const auto format = format_of(given);
  std::vector<verify_report> reports;
  for (const auto& x : *all) {
    reports.push_back(verify_one(io, fleet, x.tag, upkeep_deadline(given)));
    auto& report = reports.back();
    if (report.host.empty())
      report.host = x.host;
    if (format == output_format::jsonl)
      print_json(io, format, schema::to_json(report));
    if (format == output_format::name && !report.outcome)
      io.out << report.tag.value << '\n';
  }
  if (format == output_format::json) {
    auto list = schema::json::array();
    for (const auto& x : reports)
      list.push_back(schema::to_json(x));
    print_json(io, format, list);
  } else if (format == output_format::table || format == output_format::wide) {
    io.out << verify_table(reports, io.screen.utf8).render(io.screen);
  }
  // One that is damaged counts, however many are sound.
  const auto wrong = std::ranges::find_if(
    reports, [](const verify_report& x) { return x.outcome.code != ec::none; });
  return wrong == reports.end() ? exit_code::done
                                : exit_code_of(wrong->outcome.code);
}

exit_code run_verify(session& io, const config::invocation& given) {
  const snapshot_tag tag{given.positional("SNAPSHOT")};
  if (tag.empty() != given.has("all"))
    return wrong_use(io, given, "name one snapshot, or give --all");
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  if (tag.empty())
    return verify_all(io, given, reached->fleet);
  const auto report =
    verify_one(io, reached->fleet, tag, upkeep_deadline(given));
  // Without a host nobody looked.
  if (report.outcome && report.host.empty())
    return tell(io, given, report.outcome);
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format, schema::to_json(report));
  else
    io.out << verify_text(report, io.screen);
  return exit_code_of(report.outcome.code);
}

exit_code tell_archive(session& io, const config::invocation& given,
                       const expected<archive_report>& report,
                       const std::string& verb) {
  if (!report)
    return tell(io, given, report.error());
  const auto format = format_of(given);
  if (is_json(format))
    print_json(io, format, schema::to_json(*report));
  else if (format != output_format::name)
    io.out << archive_text(*report, verb, io.screen);
  else if (!report->outcome)
    io.out << (verb == "exported" ? report->file : report->tag.value) << '\n';
  return exit_code_of(report->outcome.code);
}

exit_code run_export(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto tag = given.positional("SNAPSHOT");
  const export_request request{.tag = {tag},
                               .file = given.text("file"),
                               .deadline = upkeep_deadline(given)};
  const auto report = ask_long<archive_report>(io, reached->fleet, request,
                                               "the export of " + tag);
  return tell_archive(io, given, report, "exported");
}

exit_code run_import(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto name = given.positional("ARCHIVE");
  const import_request request{.file = name,
                               .host = {given.text("host")},
                               .tag = {given.text("tag")},
                               .deadline = upkeep_deadline(given),
                               .accept_unsigned = given.has("unsigned"),
                               .trusted_key = given.text("trust-key")};
  const auto report = ask_long<archive_report>(io, reached->fleet, request,
                                               "the import of " + name);
  return tell_archive(io, given, report, "imported");
}

config::option deadline_option() {
  return {.name = "deadline",
          .kind = config::value_kind::duration,
          .doc = "For all of it.",
          .initial = "10min",
          .min = 100,
          .max = 3'600'000};
}

verb flatten_verb() {
  return {.entry = {.path = "flatten",
                    .summary = "Make a snapshot's memory one flat file.",
                    .options = {deadline_option()},
                    .positionals = {{.name = "SNAPSHOT",
                                     .doc = "The snapshot's tag."}},
                    .examples = {"forkfleet flatten try-a"},
                    .details = "A diff needs the snapshots that it is based "
                               "on; once it is flat it does not, and they can "
                               "be removed. The node flattens chains that are "
                               "too deep by itself."},
          .run = run_flatten};
}

verb verify_verb() {
  return {
    .entry = {.path = "verify",
              .summary = "Read a snapshot and compare every hash.",
              .options = {{.name = "all", .doc = "Verify all snapshots."},
                          deadline_option()},
              .positionals = {{.name = "SNAPSHOT",
                               .doc = "The snapshot's tag.",
                               .least = 0}},
              .examples = {"forkfleet verify try-a", "forkfleet verify --all"},
              .details = "Ends with 1 when a snapshot is damaged, and names "
                         "the first place that is; with --all also when only "
                         "one is."},
    .run = run_verify};
}

verb export_verb() {
  return {
    .entry = {.path = "export",
              .summary = "Write a snapshot to one file on its host.",
              .options = {{.name = "file",
                           .kind = config::value_kind::text,
                           .placeholder = "NAME",
                           .doc = "The archive's name, without a path; made "
                                  "from the tag when left out."},
                          deadline_option()},
              .positionals = {{.name = "SNAPSHOT",
                               .doc = "The snapshot's tag."}},
              .examples = {"forkfleet export try-a",
                           "forkfleet export try-a --file a.ffsnap"},
              .details = "The archive holds all of the snapshot, whatever it "
                         "is based on, its labels and its note. It lies in "
                         "the host's directory of "
                         "archives (hosts[].archives in the fleet file), and "
                         "nothing there is overwritten."},
    .run = run_export};
}

verb import_verb() {
  return {
    .entry =
      {.path = "import",
       .summary = "Make a snapshot of an archive on a host.",
       .options = {{.name = "host",
                    .kind = config::value_kind::text,
                    .placeholder = "HOST",
                    .doc = "Where the archive lies.",
                    .required = true},
                   {.name = "tag",
                    .kind = config::value_kind::text,
                    .placeholder = "NAME",
                    .doc = "The snapshot's name; the archive's own when left "
                           "out."},
                   {.name = "trust-key",
                    .kind = config::value_kind::text,
                    .placeholder = "KEY",
                    .doc = "Believe this public key, 64 hex digits, for this "
                           "one archive."},
                   {.name = "unsigned",
                    .doc = "Take an archive that no key vouches for."},
                   deadline_option()},
       .positionals = {{.name = "ARCHIVE",
                        .doc = "The archive's name in the host's directory of "
                               "archives, without a path."}},
       .examples = {"forkfleet import try-a.ffsnap --host h2"},
       .details =
         "Every hash is compared before the snapshot can be seen. An archive "
         "is believed when this fleet's key has signed it; of any other it is "
         "told who did and what a child of it would run, and it is taken only "
         "with --trust-key or --unsigned. Even then its children get none of "
         "the host's files but those that the fleet file names for the host, "
         "told by their content, and none of its arguments for QEMU."},
    .run = run_import};
}

} // namespace

std::vector<verb> snapshot_verbs() {
  return {flatten_verb(), verify_verb(), export_verb(), import_verb()};
}

} // namespace forkfleet::shell
