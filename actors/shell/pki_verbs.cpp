// SPDX-License-Identifier: Apache-2.0
// pki init, pki issue: the fleet's own certificates.
#include <fmt/format.h>

#include "actors/pki.hpp"
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
                            .validity = days_of(given, pki::leaf_validity)};
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
                     "forkfleet pki issue client ann"}},
     .run = run_issue},
  };
}

} // namespace forkfleet::shell
