// SPDX-License-Identifier: Apache-2.0
// forkfleet-doctor: examines this machine, whether a node runs on it or not,
// and tells what it finds as JSON.
#include <algorithm>
#include <iostream>

#include "actors/schema/json.hpp"
#include "config/fleet_file.hpp"
#include "config/options.hpp"
#include "node/doctor/examination.hpp"

namespace {

using namespace forkfleet;
using config::value_kind;

const config::command_line program{
  .name = "forkfleet-doctor",
  .summary = "Examines this machine.",
  .version = FORKFLEET_VERSION,
  .verbs = {{.path = "",
             .summary = "Tell what this machine can do for VMs, as JSON.",
             .options = {{.name = "data",
                          .kind = value_kind::text,
                          .placeholder = "DIR",
                          .doc = "Where a node's data lies, or is going to.",
                          .initial = "/var/lib/forkfleet"},
                         {.name = "cgroup",
                          .kind = value_kind::text,
                          .placeholder = "DIR",
                          .doc = "As hosts[].cgroup in the fleet file."},
                         {.name = "users",
                          .kind = value_kind::text,
                          .placeholder = "FIRST-LAST",
                          .doc = "As hosts[].vm_uids in the fleet file."},
                         {.name = "host",
                          .kind = value_kind::text,
                          .placeholder = "NAME",
                          .doc = "What the report is to call this machine."}},
             .examples = {"forkfleet-doctor --data /var/lib/forkfleet/h1"},
             .details = "Ends with 10 when something is bad."}}};

int exit_code_of(const doctor_report& report) {
  const bool is_well = std::ranges::none_of(
    report.checks, [](const auto& x) { return x.state == check_state::bad; });
  return is_well ? 0 : 10;
}

} // namespace

int main(int argc, char** argv) {
  const auto given = config::parse(program, {argv + 1, argv + argc});
  if (!given)
    return config::print(given.error());
  const auto text = given->text("users");
  const auto users =
    parse_uid_range(text.empty() ? config::host_section{}.vm_uids : text);
  if (!users) {
    std::cerr << "forkfleet-doctor: --users: " << users.error().message << "\n";
    return config::usage_exit_code;
  }
  const auto report =
    doctor_report{.host = {given->text("host")},
                  .checks = doctor::examine({.data = given->text("data"),
                                             .cgroup = given->text("cgroup"),
                                             .users = *users})};
  std::cout << schema::dump(schema::to_json(report), 1) << "\n";
  return exit_code_of(report);
}
