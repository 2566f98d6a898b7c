// SPDX-License-Identifier: Apache-2.0
// Pure: which role each request of a client takes. The one table of it; a
// request that is not in it is refused to everybody.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "actors/access.hpp"
#include "actors/exec_protocol.hpp"
#include "actors/fsck_protocol.hpp"
#include "actors/snapshot_protocol.hpp"
#include "actors/switch_protocol.hpp"

namespace forkfleet {

/// One request, and the least role that may make it.
struct permission {
  std::string_view message;
  access_role needed;
  /// Whether it changes something, so that it stands in the audit log also
  /// when it was let through.
  bool is_audited;
};

/// All of them, by the messages' names.
const std::vector<permission>& permissions();

/// The message's entry; null when it has none.
const permission* find_permission(std::string_view message);

/// What a request takes by its content, where that is more than its kind
/// takes.
constexpr access_role needed_by_content(const fsck_request& x) {
  return x.repair ? access_role::admin : access_role::viewer;
}
template <class Request>
constexpr access_role needed_by_content(const Request&) {
  return access_role::none;
}

/// not_permitted names the subject, its role and the one that is needed.
status check_role(const access_subject& who, std::string_view message,
                  access_role by_content = access_role::none);

template <class Request>
requires requires {
  Request::about;
}
status check_role(const access_subject& who, const Request& x) {
  return check_role(who, Request::about.name, needed_by_content(x));
}

/// Whether `who` may end an operation that `asked` began: his own, by the
/// name in its subject, and any when he is an admin. One whose subject nobody
/// knows any more is an admin's.
status check_cancel(const access_subject& who, std::string_view asked);

} // namespace forkfleet
