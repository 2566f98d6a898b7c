// SPDX-License-Identifier: Apache-2.0
#include "coordinator/permissions.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/fleet_protocol.hpp"

namespace forkfleet {

namespace {

using enum access_role;

template <class Request>
permission looks(access_role needed = viewer) {
  return {Request::about.name, needed, false};
}

template <class Request>
permission changes(access_role needed) {
  return {Request::about.name, needed, true};
}

std::string name_of_role(access_role x) {
  return std::string{schema::name_of(x)};
}

} // namespace

const std::vector<permission>& permissions() {
  static const auto table = std::vector<permission>{
    looks<nodes_request>(),
    looks<sandboxes_request>(),
    looks<snapshots_request>(),
    looks<events_request>(),
    looks<operation_query>(),
    looks<inspect_request>(),
    looks<console_request>(),
    looks<doctor_request>(),
    // These read whole snapshots, at the cost of the host's disk.
    changes<verify_request>(operate),
    changes<compare_request>(operate),
    changes<branch_request>(operate),
    changes<restore_request>(operate),
    changes<stop_request>(operate),
    changes<remove_request>(operate),
    changes<cancel_request>(operate),
    changes<flatten_request>(operate),
    changes<annotate_request>(operate),
    changes<export_request>(operate),
    changes<rollback_request>(operate),
    changes<promote_request>(operate),
    changes<exec_request>(operate),
    changes<file_request>(operate),
    // What comes from outside decides what a VM of this fleet is.
    changes<import_request>(admin),
    changes<fsck_request>(viewer),
  };
  return table;
}

const permission* find_permission(std::string_view message) {
  const auto& all = permissions();
  const auto found = std::ranges::find(all, message, &permission::message);
  return found == all.end() ? nullptr : &*found;
}

status check_role(const access_subject& who, std::string_view message,
                  access_role by_content) {
  const auto* entry = find_permission(message);
  if (entry == nullptr)
    return fail(ec::not_permitted,
                fmt::format("{} is nothing that a client may ask", message));
  if (who.name.empty())
    return fail(
      ec::not_permitted,
      fmt::format("{}: nobody is known behind this connection", message));
  const auto needed = std::max(entry->needed, by_content);
  if (who.role >= needed)
    return {};
  return fail(ec::not_permitted,
              fmt::format("{} takes the role {}, and {} has the role {}",
                          message, name_of_role(needed), text_of(who),
                          name_of_role(who.role)));
}

status check_cancel(const access_subject& who, std::string_view asked) {
  if (who.role >= admin)
    return {};
  if (!asked.empty() && name_in(asked) == who.name)
    return {};
  return fail(
    ec::not_permitted,
    fmt::format("the operation was asked for by {}; ending it takes "
                "the role admin, and {} has the role {}",
                asked.empty() ? "somebody who is not known any more" : asked,
                text_of(who), name_of_role(who.role)));
}

} // namespace forkfleet
