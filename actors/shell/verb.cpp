// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/verb.hpp"

#include <algorithm>

#include "actors/shell/connection.hpp"

namespace forkfleet::shell {
namespace {

constexpr const char* exit_code_help =
  "Exit codes: 0 done, 1 failed, 2 wrong use, 3 wrong fleet file, 4 not "
  "permitted, 5 not found, 6 conflict, 7 unreachable or timed out, 8 no "
  "capacity, 9 partly done, 10 something found, 128 and the signal when "
  "interrupted (130 for Ctrl-C).";

config::option output_option() {
  config::option result{.name = "output",
                        .letter = 'o',
                        .kind = config::value_kind::choice,
                        .doc = "How to print what was asked for.",
                        .initial = "table"};
  for (const auto& entry : enum_table(output_format{}))
    result.choices.emplace_back(entry.name);
  return result;
}

exit_code end_early(session& io, const config::early_end& end) {
  (end.code == 0 ? io.out : io.err) << end.text;
  if (!end.text.ends_with('\n'))
    (end.code == 0 ? io.out : io.err) << '\n';
  return static_cast<exit_code>(end.code);
}

exit_code run_version(session& io, const config::invocation& given) {
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format, {{"version", FORKFLEET_VERSION}, {"protocol", 1}});
  else
    io.out << "forkfleet " << FORKFLEET_VERSION << '\n';
  return exit_code::done;
}

} // namespace

std::vector<verb> version_verbs() {
  return {{.entry = {.path = "version",
                     .summary = "Print the version.",
                     .examples = {"forkfleet version"}},
           .run = run_version}};
}

std::string numbered(const std::string& name, uint64_t i, uint64_t count) {
  if (name.empty() || count == 1)
    return name;
  return name + "-" + std::to_string(i + 1);
}

const std::vector<verb>& all_verbs() {
  static const auto verbs = [] {
    std::vector<verb> result;
    for (auto group :
         {up_verbs,     list_verbs,     branch_verbs, sandbox_verbs,
          switch_verbs, exec_verbs,     copy_verbs,   console_verbs,
          wait_verbs,   removal_verbs,  fork_verbs,   lineage_verbs,
          label_verbs,  snapshot_verbs, fsck_verbs,   doctor_verbs,
          event_verbs,  audit_verbs,    send_verbs,   config_verbs,
          pki_verbs,    bench_verbs,    version_verbs})
      for (auto& x : group())
        result.push_back(std::move(x));
    for (auto& x : result)
      x.entry.details +=
        (x.entry.details.empty() ? "" : "\n\n") + std::string{exit_code_help};
    return result;
  }();
  return verbs;
}

const config::command_line& tool_command_line() {
  static const auto tool = [] {
    config::command_line result{
      .name = "forkfleet",
      .summary = "Branches running VM sandboxes on a fleet of hosts.",
      .version = FORKFLEET_VERSION,
      .common = fleet_option_table()};
    result.common.insert(result.common.begin(), output_option());
    for (const auto& x : all_verbs())
      result.verbs.push_back(x.entry);
    return result;
  }();
  return tool;
}

exit_code run_tool(session& io, const std::vector<std::string>& words) {
  const auto given = config::parse(tool_command_line(), words);
  if (!given)
    return end_early(io, given.error());
  const auto& verbs = all_verbs();
  const auto found =
    std::find_if(verbs.begin(), verbs.end(), [&](const verb& x) {
      return x.entry.path == given->verb->path;
    });
  if (found == verbs.end())
    return exit_code::usage;
  const auto result = found->run(io, *given);
  io.out.flush();
  io.err.flush();
  if (!io.out && result == exit_code::done)
    return tell(io, {}, {ec::io_failed, "the output cannot be written"});
  return result;
}

exit_code wrong_use(session& io, const config::invocation& given,
                    std::string_view message) {
  return end_early(
    io, config::usage_error(tool_command_line(), given.verb, message));
}

} // namespace forkfleet::shell
