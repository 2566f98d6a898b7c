// SPDX-License-Identifier: Apache-2.0
#include "coordinator/routes.hpp"

#include <string>

#include <fmt/format.h>

namespace forkfleet {

namespace {

/// How many hosts a message names.
constexpr std::size_t hosts_named_max = 5;

tl::unexpected<failure> unknown(ec code, const untold_hosts& untold,
                                const std::string& what) {
  if (auto wait = not_told(untold, what))
    return tl::unexpected{wait};
  return fail(code, fmt::format("no host of the fleet has {}", what));
}

template <class Id>
expected<host_name> find_holder(const lineage& names, const Id& id, ec code,
                                const untold_hosts& untold) {
  if (const auto* known = names.find(id))
    return known->host;
  return unknown(code, untold,
                 fmt::format("{} '{}'", Id::tag_type::kind, id.value));
}

/// Success when a new thing may have the name.
template <class Id>
status check_fresh(const untold_hosts& untold, const Id& id) {
  const auto wait =
    not_told(untold, fmt::format("a {} '{}'", Id::tag_type::kind, id.value));
  if (wait)
    return tl::unexpected{wait};
  return {};
}

/// snapshot_exists when the tag cannot be given to a new snapshot.
failure tag_taken(const lineage& names, const snapshot_tag& tag) {
  if (const auto* known = names.find(tag))
    return {ec::snapshot_exists, fmt::format("snapshot '{}' is on host '{}'",
                                             tag.value, known->host.value)};
  if (names.has_ancestor(tag))
    return {ec::snapshot_exists,
            fmt::format("snapshot '{}' was removed, but others came of it; "
                        "take another name",
                        tag.value)};
  return {};
}

bool has_ended(const sandbox_info& x) {
  return x.state == sandbox_state::stopped || x.state == sandbox_state::gone;
}

} // namespace

expected<host_name> find_host(const lineage& names,
                              const branch_request& request,
                              const untold_hosts& untold) {
  const auto* known = names.find(request.tag);
  if (known && known->operation == request.operation)
    return known->host; // the node has this operation's report
  if (auto taken = tag_taken(names, request.tag))
    return tl::unexpected{taken};
  auto host = find_holder(names, request.sandbox, ec::unknown_sandbox, untold);
  if (!host)
    return host;
  if (auto fresh = check_fresh(untold, request.tag); !fresh)
    return tl::unexpected{fresh.error()};
  return host;
}

expected<host_name> find_host(const lineage& names,
                              const restore_request& request,
                              const untold_hosts& untold) {
  auto host = find_holder(names, request.tag, ec::unknown_snapshot, untold);
  if (!host)
    return host;
  const auto* known = names.find(request.sandbox);
  if (!known) {
    if (auto fresh = check_fresh(untold, request.sandbox); !fresh)
      return tl::unexpected{fresh.error()};
    return host;
  }
  // The node can tell whether it is the child of this very operation, or one
  // that has ended and may be replaced.
  const bool may_be_own = known->parent == request.tag || has_ended(*known);
  if (known->host == *host && may_be_own)
    return host;
  return fail(ec::sandbox_exists,
              fmt::format("sandbox '{}' is on host '{}' ({}); stop it to free "
                          "its name",
                          request.sandbox.value, known->host.value,
                          schema::name_of(known->state)));
}

expected<host_name> find_host(const lineage& names, const stop_request& request,
                              const untold_hosts& untold) {
  return find_holder(names, request.sandbox, ec::unknown_sandbox, untold);
}

expected<host_name> find_host(const lineage& names,
                              const remove_request& request,
                              const untold_hosts& untold) {
  return find_holder(names, request.tag, ec::unknown_snapshot, untold);
}

expected<host_name> find_host(const lineage& names,
                              const flatten_request& request,
                              const untold_hosts& untold) {
  return find_holder(names, request.tag, ec::unknown_snapshot, untold);
}

expected<host_name> find_host(const lineage& names,
                              const verify_request& request,
                              const untold_hosts& untold) {
  return find_holder(names, request.tag, ec::unknown_snapshot, untold);
}

expected<host_name> find_host(const lineage& names,
                              const export_request& request,
                              const untold_hosts& untold) {
  return find_holder(names, request.tag, ec::unknown_snapshot, untold);
}

expected<host_name> find_host(const lineage& names,
                              const annotate_request& request,
                              const untold_hosts& untold) {
  return find_holder(names, request.tag, ec::unknown_snapshot, untold);
}

expected<host_name> find_host(const lineage& names,
                              const inspect_request& request,
                              const untold_hosts& untold) {
  return find_holder(names, request.tag, ec::unknown_snapshot, untold);
}

expected<host_name> find_host(const lineage& names,
                              const compare_request& request,
                              const untold_hosts& untold) {
  const auto host =
    find_holder(names, request.tag, ec::unknown_snapshot, untold);
  const auto other =
    find_holder(names, request.other, ec::unknown_snapshot, untold);
  if (!host || !other)
    return host ? other : host;
  if (*host != *other)
    return fail(ec::unsupported,
                fmt::format("'{}' is on host '{}', '{}' on host '{}'; export "
                            "one and import it beside the other",
                            request.tag.value, host->value, request.other.value,
                            other->value));
  return host;
}

expected<host_name> find_host(const lineage& names, const exec_request& request,
                              const untold_hosts& untold) {
  return find_holder(names, request.sandbox, ec::unknown_sandbox, untold);
}

expected<host_name> find_host(const lineage& names, const file_request& request,
                              const untold_hosts& untold) {
  return find_holder(names, request.sandbox, ec::unknown_sandbox, untold);
}

expected<host_name> find_host(const lineage& names,
                              const console_request& request,
                              const untold_hosts& untold) {
  return find_holder(names, request.sandbox, ec::unknown_sandbox, untold);
}

expected<host_name> find_host(const lineage& names,
                              const rollback_request& request,
                              const untold_hosts& untold) {
  if (const auto* done = names.find_switched(request.operation))
    return done->host;
  const auto host =
    find_holder(names, request.sandbox, ec::unknown_sandbox, untold);
  const auto other =
    find_holder(names, request.tag, ec::unknown_snapshot, untold);
  if (!host || !other)
    return host ? other : host;
  if (*host != *other)
    return fail(ec::unsupported,
                fmt::format("sandbox '{}' is on host '{}', snapshot '{}' on "
                            "host '{}'; export it there and import it here",
                            request.sandbox.value, host->value,
                            request.tag.value, other->value));
  return host;
}

expected<host_name> find_host(const lineage& names,
                              const promote_request& request,
                              const untold_hosts& untold) {
  // The child's name is free since, and may be another's.
  if (const auto* done = names.find_switched(request.operation))
    return done->host;
  const auto host =
    find_holder(names, request.sandbox, ec::unknown_sandbox, untold);
  if (!host)
    return host;
  const auto* snapshot = names.find(names.find(request.sandbox)->parent);
  const auto* source = snapshot ? names.find(snapshot->source) : nullptr;
  if (source && source->host != *host)
    return fail(ec::unsupported,
                fmt::format("child '{}' is on host '{}', its source '{}' on "
                            "host '{}'; stop the source to free its name, or "
                            "import the snapshot there and restore it",
                            request.sandbox.value, host->value,
                            source->id.value, source->host.value));
  return host;
}

status check_free(const lineage& names, const snapshot_tag& tag,
                  const untold_hosts& untold) {
  if (tag.empty())
    return {};
  if (auto taken = tag_taken(names, tag))
    return tl::unexpected{taken};
  return check_fresh(untold, tag);
}

failure not_told(const untold_hosts& untold, const std::string& what) {
  if (untold.empty())
    return {};
  auto hosts = std::string{};
  for (std::size_t i = 0; i < untold.size() && i < hosts_named_max; ++i)
    hosts += (i == 0 ? "'" : ", '") + untold[i].value + "'";
  const auto more =
    untold.size() > hosts_named_max
      ? fmt::format(" and {} more", untold.size() - hosts_named_max)
      : std::string{};
  return {ec::not_ready, fmt::format("host {}{} may have {}, but has not "
                                     "joined yet",
                                     hosts, more, what)};
}

} // namespace forkfleet
