// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/connection.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "actors/pki.hpp"
#include "actors/shell/fleet_choice.hpp"

namespace forkfleet::shell {
namespace {

fleet_options options_of(const config::invocation& given) {
  return {.fleet = given.text("fleet"),
          .coordinator = given.address("coordinator"),
          .tls = {.authority = given.text("tls-authority"),
                  .certificate = given.text("tls-certificate"),
                  .key = given.text("tls-key")},
          .token = given.text("token")};
}

tls_material material(const config::tls_files& files) {
  return {.authority = files.authority,
          .certificate = files.certificate,
          .key = files.key,
          .token = {}};
}

link_endpoint dial_address(const config::endpoint& listen) {
  if (listen.host == "0.0.0.0")
    return {"127.0.0.1", listen.port, {}};
  return {listen.host == "::" ? "::1" : listen.host, listen.port, {}};
}

/// With a token the tool goes by the port that takes one. One of the
/// environment may be for another fleet.
expected<client_settings> settings_with(const config::fleet_file& fleet,
                                        const std::string& token,
                                        bool is_asked) {
  auto result = settings_of(fleet);
  const auto& listen = fleet.coordinator.listen;
  const bool has_port = !listen.empty() && !config::has_certificates(fleet);
  if (token.empty() || (!has_port && !is_asked))
    return result;
  if (!has_port)
    return fail(ec::invalid_request,
                "a token is for a loopback port that coordinator.listen names, "
                "and the fleet file names none, or has certificates; leave "
                "--token out");
  result.coordinator = dial_address(listen);
  result.tls.token = token;
  return result;
}

constexpr std::string_view absent_advice =
  "is the fleet up? Start it with: forkfleet up. Without its fleet file, one "
  "with TLS is reached with --tls-authority and its fellows, any other with "
  "--token";

/// All pages of a list. `last` gives the key of an entry, to go on after.
template <class List, class Request, class Entry, class Last>
expected<std::vector<Entry>>
all_pages(client& fleet, std::chrono::milliseconds timeout,
          std::vector<Entry> List::*entries, Last last) {
  std::vector<Entry> result;
  Request request;
  for (;;) {
    auto page = fleet.ask<List>(request, timeout);
    if (!page)
      return tl::unexpected{page.error()};
    auto& fresh = (*page).*entries;
    result.insert(result.end(), fresh.begin(), fresh.end());
    if (!page->more || fresh.empty() || result.size() >= list_entries_max)
      return result;
    request.after = last(fresh.back());
  }
}

} // namespace

std::vector<config::option> fleet_option_table() {
  using enum config::value_kind;
  return {
    {.name = "fleet",
     .kind = text,
     .placeholder = "FILE",
     .doc = "The fleet's file; default: $FORKFLEET_FLEET, ./fleet.yaml, then "
            "the fleet that was started last."},
    {.name = "coordinator",
     .kind = endpoint,
     .doc = "The coordinator's address, instead of a fleet file."},
    {.name = "tls-authority",
     .kind = text,
     .placeholder = "FILE",
     .doc = "The authority's certificate; with --coordinator."},
    {.name = "tls-certificate",
     .kind = text,
     .placeholder = "FILE",
     .doc = "The tool's own certificate; with --coordinator."},
    {.name = "tls-key",
     .kind = text,
     .placeholder = "FILE",
     .doc = "Its private key; with --coordinator."},
    {.name = "token",
     .kind = text,
     .placeholder = "FILE",
     .doc = "A token for a loopback port; default: $FORKFLEET_TOKEN. See pki "
            "token."},
    {.name = "timeout",
     .kind = duration,
     .doc = "How long to wait for an answer.",
     .initial = "10s",
     .min = 100,
     .max = 3'600'000},
  };
}

tl::expected<fleet_address, exit_code>
find_fleet(session& io, const config::invocation& given) {
  const auto choice = choose_fleet(options_of(given), io.env, real_files());
  if (!choice)
    return tl::unexpected{tell(io, given, choice.error())};
  if (choice->path.empty()) {
    const auto& at = choice->coordinator;
    auto proof = material(choice->tls);
    proof.token = choice->token;
    return fleet_address{.settings = {.coordinator = {at.host, at.port, {}},
                                      .tls = std::move(proof)}};
  }
  auto loaded = load_fleet(io, given, choice->path);
  if (!loaded)
    return tl::unexpected{loaded.error()};
  auto settings =
    settings_with(loaded->file, choice->token, given.has("token"));
  if (!settings)
    return tl::unexpected{tell(io, given, settings.error())};
  return fleet_address{.settings = std::move(*settings),
                       .file = std::move(loaded->file)};
}

tl::expected<reached_fleet, exit_code>
reach_fleet(session& io, const config::invocation& given) {
  auto found = find_fleet(io, given);
  if (!found)
    return tl::unexpected{found.error()};
  auto& settings = found->settings;
  settings.connect = std::min(settings.connect, timeout_of(given));
  if (!settings.tls.empty())
    if (const auto fine = pki::check(settings.tls); !fine)
      return tl::unexpected{tell(io, given, fine.error())};
  client fleet{settings};
  if (auto there = fleet.connect(); !there) {
    const auto& why = there.error();
    const bool is_absent = exit_code_of(why.code) == exit_code::unreachable;
    return tl::unexpected{
      tell(io, given, why, is_absent ? absent_advice : std::string_view{})};
  }
  return reached_fleet{.where = std::move(*found), .fleet = std::move(fleet)};
}

tl::expected<loaded_fleet, exit_code>
load_fleet(session& io, const config::invocation& given,
           const std::string& path) {
  std::error_code ignored;
  const auto absolute = std::filesystem::absolute(path, ignored);
  auto result = config::load(path, io.env);
  if (!result.fleet)
    return tl::unexpected{tell_problems(io, given, path, result.problems)};
  return loaded_fleet{.file = std::move(*result.fleet),
                      .path = ignored ? path : absolute.string()};
}

client_settings settings_of(const config::fleet_file& fleet) {
  if (!config::has_certificates(fleet))
    return {.coordinator = {
              .host = {}, .port = 0, .socket = config::local_door(fleet)}};
  return {.coordinator = dial_address(fleet.coordinator.listen),
          .tls = material(fleet.client_tls)};
}

std::chrono::milliseconds timeout_of(const config::invocation& given) {
  return given.duration("timeout").value_or(std::chrono::seconds{10});
}

expected<std::vector<node_info>> all_nodes(client& fleet,
                                           std::chrono::milliseconds timeout) {
  return all_pages<node_list, nodes_request>(
    fleet, timeout, &node_list::nodes,
    [](const node_info& x) { return x.host; });
}

expected<std::vector<sandbox_info>>
all_sandboxes(client& fleet, std::chrono::milliseconds timeout) {
  return all_pages<sandbox_list, sandboxes_request>(
    fleet, timeout, &sandbox_list::sandboxes,
    [](const sandbox_info& x) { return x.id; });
}

expected<std::vector<snapshot_info>>
all_snapshots(client& fleet, std::chrono::milliseconds timeout) {
  return all_pages<snapshot_list, snapshots_request>(
    fleet, timeout, &snapshot_list::snapshots,
    [](const snapshot_info& x) { return x.tag; });
}

} // namespace forkfleet::shell
