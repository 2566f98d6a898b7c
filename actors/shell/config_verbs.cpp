// SPDX-License-Identifier: Apache-2.0
// config validate, config show, config schema: fleet files without a fleet.
#include <fmt/format.h>

#include "actors/shell/connection.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

std::string counted(std::size_t n, std::string_view one) {
  const bool is_plural = n != 1;
  const std::string_view ending = !is_plural           ? ""
                                  : one.ends_with('x') ? "es"
                                                       : "s";
  return fmt::format("{} {}{}", n, one, ending);
}

exit_code run_validate(session& io, const config::invocation& given) {
  const auto path = given.positional("FILE");
  const auto loaded = load_fleet(io, given, path);
  if (!loaded)
    return loaded.error();
  const auto& fleet = loaded->file;
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format, {{"problems", schema::json::array()}});
  else
    io.out << printable(fmt::format("{}: the fleet {} is sound: {}, {}", path,
                                    fleet.name,
                                    counted(fleet.hosts.size(), "host"),
                                    counted(fleet.sandboxes.size(), "sandbox")))
           << '\n';
  return exit_code::done;
}

exit_code run_show(session& io, const config::invocation& given) {
  const auto loaded = load_fleet(io, given, given.positional("FILE"));
  if (!loaded)
    return loaded.error();
  io.out << config::show(loaded->file);
  return exit_code::done;
}

exit_code run_schema(session& io, const config::invocation&) {
  io.out << config::schema_text() << '\n';
  return exit_code::done;
}

} // namespace

std::vector<verb> config_verbs() {
  const config::positional file{.name = "FILE", .doc = "The fleet file."};
  return {
    {.entry = {.path = "config validate",
               .summary = "Check a fleet file; tell every problem's place.",
               .positionals = {file},
               .examples = {"forkfleet config validate fleet.yaml"}},
     .run = run_validate},
    {.entry = {.path = "config show",
               .summary = "Print a fleet file with every default written out.",
               .positionals = {file},
               .examples = {"forkfleet config show fleet.yaml"}},
     .run = run_show},
    {.entry = {.path = "config schema",
               .summary = "Print the fleet file's JSON Schema, for editors.",
               .examples = {"forkfleet config schema > fleet.schema.json"}},
     .run = run_schema},
  };
}

} // namespace forkfleet::shell
