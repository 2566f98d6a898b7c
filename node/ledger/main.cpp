// SPDX-License-Identifier: Apache-2.0
// forkfleet-fsck: looks at a data directory that no node has, and tells what
// it finds as JSON.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>

#include "actors/descriptors.hpp"
#include "actors/schema/json.hpp"
#include "config/options.hpp"
#include "node/ledger/host_check.hpp"

namespace {

using namespace forkfleet;
using config::value_kind;

const config::command_line program{
  .name = "forkfleet-fsck",
  .summary = "Checks a data directory that no node has.",
  .version = FORKFLEET_VERSION,
  .verbs = {
    {.path = "",
     .summary = "Tell what nobody owns, as JSON.",
     .options = {{.name = "data",
                  .kind = value_kind::text,
                  .placeholder = "DIR",
                  .doc = "The data directory.",
                  .required = true},
                 {.name = "repair", .doc = "Remove what nobody owns."},
                 {.name = "all", .doc = "Tell what is owned, too."},
                 {.name = "young",
                  .kind = value_kind::duration,
                  .doc = "What changed within this time is not judged.",
                  .initial = "30s"}},
     .examples = {"forkfleet-fsck --data /var/lib/forkfleet/h1",
                  "forkfleet-fsck --data /var/lib/forkfleet/h1 --repair"},
     .details = "Takes the directory's lock, and is refused while a node has "
                "it. Ends with 0 when all is in order, 10 when something was "
                "found, 1 when it could not look. What owns and cannot be "
                "read is damaged, and is never removed."}}};

microseconds unix_time() {
  return std::chrono::duration_cast<microseconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

/// 10 when something was found, also when it was just removed.
int exit_code_of(const fsck_report& report) {
  if (report.outcome)
    return 1;
  const bool is_clean = std::ranges::none_of(
    report.items, [](const ledger_item& x) { return is_finding(x.state); });
  return is_clean ? 0 : 10;
}

} // namespace

int main(int argc, char** argv) {
  raise_descriptor_limit();
  const auto given = config::parse(program, {argv + 1, argv + argc});
  if (!given)
    return config::print(given.error());
  std::error_code ignored;
  const auto data = std::filesystem::weakly_canonical(
    std::filesystem::absolute(given->text("data"), ignored), ignored);
  auto report = check_data(
    {.data = data.string()},
    {.repair = given->has("repair"),
     .all = given->has("all"),
     .young = given->duration("young").value_or(std::chrono::seconds{30})},
    unix_time());
  const auto told = report ? *report : fsck_report{.outcome = report.error()};
  std::cout << schema::dump(schema::to_json(told), 1) << "\n";
  return exit_code_of(told);
}
