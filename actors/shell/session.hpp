// SPDX-License-Identifier: Apache-2.0
// What a verb works with: where it writes, how it prints, and how it tells
// people or scripts that something went wrong.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "actors/schema/json.hpp"
#include "actors/shell/exit_code.hpp"
#include "actors/shell/terminal.hpp"
#include "config/load.hpp"
#include "config/options.hpp"

namespace forkfleet::shell {

/// One run of the tool. Owns none of its parts.
struct session {
  std::ostream& out;
  std::ostream& err;
  terminal screen = {};   // what `out` can show
  terminal messages = {}; // what `err` can show
  config::environment env = {};
};

/// How results are printed. Tables also in a pipe; JSON only when asked for.
enum class output_format : unsigned char { table, wide, json, jsonl, name };

constexpr auto enum_table(output_format) {
  using enum output_format;
  return std::to_array<schema::enum_entry<output_format>>({
    {table, "table"},
    {wide, "wide"},
    {json, "json"},
    {jsonl, "jsonl"},
    {name, "name"},
  });
}

/// What --output says.
output_format format_of(const config::invocation& given);

/// Whether a script reads what we print.
bool is_json(output_format x);

/// Prints one JSON value as `x` wants it: indented, or on one line.
void print_json(session& io, output_format x, const schema::json& value);

/// Tells a failure with its remedy, by default `advice`: a line on `err`, or
/// with JSON output `{"error": {"code", "message", "remedy"}}` on `out`.
/// Returns its code.
exit_code tell(session& io, const config::invocation& given,
               const failure& what, std::string_view remedy = {});

/// The same as JSON.
schema::json error_json(const failure& what, std::string_view remedy = {});

/// One line for people on `err`, made printable.
void note(session& io, std::string_view text);

/// Prints what is wrong with a fleet file, on `err` or as JSON on `out`.
exit_code tell_problems(session& io, const config::invocation& given,
                        const std::string& path,
                        const std::vector<config::problem>& problems);

} // namespace forkfleet::shell
