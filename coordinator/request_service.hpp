// SPDX-License-Identifier: Apache-2.0
// What happens to each request of a client before and after its handler:
// whose is it, may he ask it, and what the audit log says of it.
#pragma once

#include <string>
#include <utility>

#include "coordinator/coordinator_work.hpp"
#include "coordinator/permissions.hpp"
#include "coordinator/request_check.hpp"

namespace forkfleet::coordinator_work {

/// The names in a request, for the audit log.
template <class Request>
std::string target_of(const Request& x) {
  auto text = std::string{};
  const auto add = [&text](const std::string& name) {
    if (!name.empty())
      text += (text.empty() ? "" : " ") + name;
  };
  if constexpr (requires { x.host.value; })
    add(x.host.value);
  if constexpr (requires { x.sandbox.value; })
    add(x.sandbox.value);
  if constexpr (requires { x.tag.value; })
    add(x.tag.value);
  if constexpr (requires { x.path; })
    add(x.path);
  return text;
}

/// Whether this request stands in the audit log: of a program that is looked
/// at again and again only what begins or ends it.
template <class Request>
bool is_worth_a_line(const Request&) {
  return true;
}
inline bool is_worth_a_line(const exec_request& x) {
  return x.action != exec_action::look;
}

template <class Request>
audit_record line_of(const access_subject& who, const Request& x,
                     std::string event) {
  auto line = audit_record{.event = std::move(event),
                           .subject = text_of(who),
                           .role = std::string{schema::name_of(who.role)},
                           .message = std::string{Request::about.name},
                           .target = target_of(x)};
  if constexpr (requires { x.operation.value; })
    line.operation = x.operation.value;
  return line;
}

/// Answers `x` by `work`, as its sender.
template <class Request, class Reply, class Work>
caf::result<Reply> serve_request(coordinator_pointer self, const Request& x,
                                 Work work) {
  auto& st = self->state;
  const auto who = sender_of(self);
  if (auto may = check_role(who, x); !may) {
    auto line = line_of(who, x, "refused");
    line.outcome = may.error();
    audit(self, std::move(line));
    return to_caf_error(may.error());
  }
  auto request = x;
  if constexpr (requires { request.subject; }) {
    request.subject = text_of(who);
    if (request.operation.empty())
      request.operation = make_operation_id(unix_now(self), st.dice);
  }
  const auto is_noted =
    find_permission(Request::about.name)->is_audited && is_worth_a_line(x);
  auto line = line_of(who, request, "asked");
  st.asking = who;
  auto answer = caf::result<Reply>{work(self, std::move(request))};
  st.asking = {};
  if (answer.flag == caf::rt_error) {
    line.outcome = from_caf_error(answer.err);
    if (line.outcome.code == ec::not_permitted)
      line.event = "refused";
  }
  if (is_noted || line.event == "refused")
    audit(self, std::move(line));
  return answer;
}

} // namespace forkfleet::coordinator_work
