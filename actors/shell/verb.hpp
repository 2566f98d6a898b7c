// SPDX-License-Identifier: Apache-2.0
// A verb of the tool: its table entry and what it does. Each group of verbs
// is one source file.
#pragma once

#include <string>
#include <vector>

#include "actors/shell/session.hpp"

namespace forkfleet::shell {

struct verb {
  config::verb_entry entry = {};
  exit_code (*run)(session& io, const config::invocation& given) = nullptr;
};

std::vector<verb> up_verbs();       // up, down
std::vector<verb> list_verbs();     // nodes, ls, snapshots
std::vector<verb> branch_verbs();   // branch, status, cancel
std::vector<verb> sandbox_verbs();  // restore, stop
std::vector<verb> exec_verbs();     // exec
std::vector<verb> copy_verbs();     // cp
std::vector<verb> console_verbs();  // logs
std::vector<verb> wait_verbs();     // wait
std::vector<verb> switch_verbs();   // rollback, promote
std::vector<verb> removal_verbs();  // rm
std::vector<verb> fork_verbs();     // fork
std::vector<verb> lineage_verbs();  // tree, log, why-kept
std::vector<verb> snapshot_verbs(); // flatten, verify, export, import
std::vector<verb> label_verbs();    // label, note, inspect, diff
std::vector<verb> fsck_verbs();     // fsck
std::vector<verb> doctor_verbs();   // doctor
std::vector<verb> event_verbs();    // events
std::vector<verb> audit_verbs();    // audit
std::vector<verb> send_verbs();     // send
std::vector<verb> config_verbs();   // config validate, show, schema
std::vector<verb> pki_verbs();      // pki init, issue, token
std::vector<verb> bench_verbs();    // bench chain, pause, floor
std::vector<verb> version_verbs();  // version

/// All verbs, in the order of the help.
const std::vector<verb>& all_verbs();

/// The whole command line: every verb and the options that all have.
const config::command_line& tool_command_line();

/// Reads the words after the program's name and does what they say.
exit_code run_tool(session& io, const std::vector<std::string>& words);

/// The name of the one with index `i` of `count` things that a command line
/// names once: with -1, -2, ... when they are several.
std::string numbered(const std::string& name, uint64_t i, uint64_t count);

/// Tells a wrong use that only the verb can see, with its usage.
exit_code wrong_use(session& io, const config::invocation& given,
                    std::string_view message);

} // namespace forkfleet::shell
