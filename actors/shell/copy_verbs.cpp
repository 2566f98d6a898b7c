// SPDX-License-Identifier: Apache-2.0
// cp: files and directories into a guest and out of it.
#include <fmt/format.h>

#include "actors/shell/connection.hpp"
#include "actors/shell/figures.hpp"
#include "actors/shell/guest_copy.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

void print_copy(session& io, const config::invocation& given,
                const copy_place& to, const copy_result& x) {
  const auto format = format_of(given);
  const auto where = to.is_in_guest() ? to.sandbox + ":" + x.path : x.path;
  if (is_json(format)) {
    auto value = schema::json{{"path", x.path}, {"bytes", x.bytes}};
    if (!x.sha256.empty())
      value["sha256"] = x.sha256;
    if (x.left_out > 0)
      value["left_out"] = x.left_out;
    print_json(io, format, value);
  } else if (format == output_format::name) {
    io.out << printable(where) << '\n';
  } else {
    io.out << printable(where) << "  " << size_text(x.bytes) << '\n';
  }
}

/// What is not there on the other side.
void tell_left_out(session& io, const copy_result& x) {
  for (const auto& each : x.examples)
    note(io, "left out: " + each);
  if (x.left_out > x.examples.size())
    note(io, fmt::format("left out: {} more", x.left_out - x.examples.size()));
}

expected<copy_result> copy(session& io, guest_line& guest,
                           const copy_place& from, const copy_place& to,
                           bool is_recursive) {
  if (is_recursive)
    return to.is_in_guest() ? send_directory(guest, from.path, to.path)
                            : fetch_directory(guest, from.path, to.path);
  return to.is_in_guest() ? send_file(guest, from.path, to.path)
                          : fetch_file(guest, from.path, to.path, io.out);
}

/// A guest's own words need another look at the guest, not at its host.
std::string_view copy_remedy(const failure& why) {
  return why.code == ec::vmm_refused
           ? "see what is there: forkfleet exec SANDBOX -- ls -la DIR"
           : std::string_view{};
}

exit_code run_copy(session& io, const config::invocation& given) {
  const auto from = parse_place(given.positional("SRC"));
  const auto to = parse_place(given.positional("DST"));
  if (from.is_in_guest() == to.is_in_guest())
    return wrong_use(io, given,
                     "one side must be SANDBOX:PATH, and one a "
                     "path here or '-'");
  const auto& theirs = from.is_in_guest() ? from : to;
  const auto& ours = from.is_in_guest() ? to : from;
  if (!theirs.path.starts_with('/'))
    return wrong_use(io, given, "the path in the guest must be absolute");
  if (ours.path.empty() || (given.has("recursive") && ours.path == "-"))
    return wrong_use(io, given, "name a path here");
  guest_line guest;
  auto reached = guest.aside([&] { return reach_fleet(io, given); });
  if (!reached)
    return reached.error();
  guest.reach(reached->fleet, {theirs.sandbox});
  const auto result = copy(io, guest, from, to, given.has("recursive"));
  if (const auto code = guest.end_code(); !result && code != exit_code::done)
    return code;
  if (!result)
    return tell(io, given, result.error(), copy_remedy(result.error()));
  tell_left_out(io, *result);
  // What was copied is our output then.
  if (to.is_in_guest() || to.path != "-")
    print_copy(io, given, to, *result);
  return exit_code::done;
}

} // namespace

std::vector<verb> copy_verbs() {
  return {
    {.entry =
       {.path = "cp",
        .summary = "Copy a file into a sandbox' guest, or out of it.",
        .options = {{.name = "recursive",
                     .letter = 'r',
                     .doc = "Copy a directory, by the guest's tar; what is "
                            "there already is not replaced."}},
        .positionals = {{.name = "SRC",
                         .doc = "SANDBOX:PATH, a path here, or '-' for stdin."},
                        {.name = "DST",
                         .doc = "The same; '-' for stdout. A directory gets "
                                "the file under its own name."}},
        .examples = {"forkfleet cp task.json child-1:/root/",
                     "forkfleet cp child-1:/root/result.json .",
                     "forkfleet cp -r ./project child-1:/root/project",
                     "forkfleet cp child-1:/var/log/app.log - | tail"},
        .details =
          "Needs a guest with an agent. A file of any size comes in pieces "
          "into a hidden one beside its place, which gets its name when its "
          "SHA-256 is that of what was sent. Blocks of zeros become holes. "
          "What comes here belongs to the caller, with the guest's plain mode "
          "less the umask: never setuid. -r copies files, directories and "
          "links; devices, sockets, and links that lead out of the directory "
          "are left out and told. The guest needs sha256sum and, for -r, tar. "
          "A path here with ':' is written ./a:b."},
     .run = run_copy}};
}

} // namespace forkfleet::shell
