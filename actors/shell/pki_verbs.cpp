// SPDX-License-Identifier: Apache-2.0
// pki init, pki issue: the fleet's own certificates.
#include <fmt/format.h>

#include "actors/link/token_proof.hpp"
#include "actors/pki.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/fleet_choice.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

constexpr uint64_t days_max = 36'500;

pki::days days_of(const config::invocation& given, pki::days usual) {
  const auto days = given.number("days");
  return days ? pki::days{static_cast<int>(*days)} : usual;
}

exit_code run_init(session& io, const config::invocation& given) {
  const auto directory = given.positional("DIRECTORY");
  const auto made =
    pki::init(directory, days_of(given, pki::authority_validity));
  if (!made)
    return tell(io, given, made.error());
  io.out << printable(directory + "/ca.crt") << '\n'
         << printable(directory + "/ca.key") << '\n'
         << printable(directory + "/signing.key") << '\n';
  return exit_code::done;
}

/// What the command line asks for. ROLE has been checked.
pki::issue_request request_of(const config::invocation& given) {
  pki::issue_request result{.name = given.positional("NAME"),
                            .hosts = given.texts("address"),
                            .validity = days_of(given, pki::leaf_validity),
                            .access = access_role_of(given.text("role"))};
  const auto role = given.positional("ROLE");
  for (const auto& entry : enum_table(pki::role{}))
    if (entry.name == role)
      result.what = entry.value;
  return result;
}

bool is_role(const std::string& name) {
  for (const auto& entry : enum_table(pki::role{}))
    if (entry.name == name)
      return true;
  return false;
}

exit_code run_issue(session& io, const config::invocation& given) {
  const auto role = given.positional("ROLE");
  const auto name = given.positional("NAME");
  if (!is_role(role))
    return wrong_use(io, given, "ROLE is coordinator, node or client");
  const bool is_coordinator = role == "coordinator";
  if (is_coordinator && given.texts("address").empty())
    return wrong_use(io, given,
                     "give each name and address by which the coordinator is "
                     "reached: --address");
  if (!is_coordinator && name.empty())
    return wrong_use(io, given, "give the NAME of the " + role);
  if (role != "client" && given.has("role"))
    return wrong_use(io, given,
                     "--role goes with client: what " + role
                       + " may do is in its name");
  const auto authority = given.text("authority");
  const auto into =
    given.has("into") ? given.text("into") : authority + "/issued";
  const auto files = pki::issue(authority, request_of(given), into);
  if (!files)
    return tell(io, given, files.error());
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format,
               {{"authority", files->authority},
                {"certificate", files->certificate},
                {"key", files->key}});
  else
    // As it stands in a fleet file.
    io.out << printable("tls: {authority: " + files->authority
                        + ", certificate: " + files->certificate
                        + ", key: " + files->key + "}")
           << '\n';
  return exit_code::done;
}

config::option days_option(pki::days usual) {
  return {.name = "days",
          .kind = config::value_kind::number,
          .placeholder = "N",
          .doc = "How long it holds.",
          .initial = std::to_string(usual.count()),
          .min = 1,
          .max = days_max};
}

config::option role_option() {
  return {.name = "role",
          .kind = config::value_kind::choice,
          .doc = "What a client may do: a viewer looks, an operator works with "
                 "sandboxes and snapshots and ends his own operations, an "
                 "admin does everything.",
          .initial = "viewer",
          .choices = {"viewer", "operator", "admin"}};
}

exit_code run_token(session& io, const config::invocation& given) {
  const auto path =
    choose_fleet({.fleet = given.text("fleet")}, io.env, real_files());
  if (!path)
    return tell(io, given, path.error());
  const auto fleet = load_fleet(io, given, path->path);
  if (!fleet)
    return fleet.error();
  if (fleet->file.coordinator.listen.empty()
      || config::has_certificates(fleet->file))
    return tell(io, given,
                {ec::invalid_request,
                 "tokens are for a loopback port without certificates: set "
                 "coordinator.listen to one, and leave tls out"});
  const auto made =
    make_token(config::token_directory(fleet->file), given.positional("NAME"),
               access_role_of(given.text("role")));
  if (!made)
    return tell(io, given, made.error());
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format, {{"token", *made}});
  else
    io.out << printable(*made) << '\n';
  return exit_code::done;
}

std::vector<config::option> issue_options() {
  using enum config::value_kind;
  return {{.name = "authority",
           .kind = text,
           .placeholder = "DIR",
           .doc = "The directory that pki init made.",
           .initial = "pki"},
          {.name = "into",
           .kind = text,
           .placeholder = "DIR",
           .doc = "Where the files go; default: issued in the authority's "
                  "directory."},
          {.name = "address",
           .kind = text,
           .placeholder = "HOST",
           .doc = "A name or address of the coordinator; may be repeated.",
           .repeatable = true},
          role_option(),
          days_option(pki::leaf_validity)};
}

} // namespace

std::vector<verb> pki_verbs() {
  return {
    {.entry = {.path = "pki init",
               .summary = "Make the fleet's certificate authority.",
               .options = {days_option(pki::authority_validity)},
               .positionals = {{.name = "DIRECTORY",
                                .doc = "Where it is made; keep it safe."}},
               .examples = {"forkfleet pki init pki"}},
     .run = run_init},
    {.entry =
       {.path = "pki issue",
        .summary = "Issue a certificate for one program.",
        .options = issue_options(),
        .positionals = {{.name = "ROLE", .doc = "coordinator, node or client."},
                        {.name = "NAME",
                         .doc = "The node's host or the client's name.",
                         .least = 0}},
        .examples = {"forkfleet pki issue coordinator --address 10.0.0.1",
                     "forkfleet pki issue node h1",
                     "forkfleet pki issue client ann --role operator"}},
     .run = run_issue},
    {.entry = {.path = "pki token",
               .summary = "Make a token for a client on this machine.",
               .options = {role_option()},
               .positionals = {{.name = "NAME", .doc = "The client's name."}},
               .examples = {"forkfleet pki token ann --role operator"},
               .details =
                 "For users other than the coordinator's own, at the loopback "
                 "port that coordinator.listen names. Hand the file over as "
                 "what it is, a secret: its new owner keeps it with mode 600 "
                 "and gives it as --token FILE or FORKFLEET_TOKEN. Remove the "
                 "coordinator's copy and the token opens nothing any more; "
                 "access.denied ends what it has opened."},
     .run = run_token},
  };
}

} // namespace forkfleet::shell
