// SPDX-License-Identifier: Apache-2.0
// What the command line gives a child of its own: for restore and fork.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "actors/sandbox_protocol.hpp"
#include "config/options.hpp"

namespace forkfleet::shell {

/// One child of a batch, as a line of JSON tells it.
struct child_line {
  std::string name = {}; // empty: as without it
  child_input input = {};
};

/// --wait, --hostname, --env, --file, --seed, and the limits of the VM.
std::vector<config::option> child_options();

/// When the answer is to come.
restore_wait wait_of(const config::invocation& given);

/// What its VM may take.
sandbox_limits limits_of(const config::invocation& given);

/// What the options say; files of this machine are read. invalid_request and
/// io_failed name the option.
expected<child_input> child_input_of(const config::invocation& given);

/// Reads one JSON object a line: the fields of child_input and `name`. Empty
/// lines are none. `name` of the file is for errors, which tell the line. At
/// most `lines_max`.
expected<std::vector<child_line>> read_child_lines(std::istream& in,
                                                   const std::string& name,
                                                   std::size_t lines_max);

/// What a line says, and for what it leaves out what all children get.
child_input merge(const child_input& all, const child_input& own);

} // namespace forkfleet::shell
