// SPDX-License-Identifier: Apache-2.0
#include "node/operation_table.hpp"

#include <utility>

#include "actors/same_request.hpp"

namespace forkfleet {

std::string_view
operation_table::difference(const branch_request& request) const {
  const auto it = entries_.find(request.operation);
  return it == entries_.end() ? std::string_view{}
                              : differing_field(it->second.request, request);
}

operation_claim operation_table::claim(const branch_request& request) {
  const auto it = entries_.find(request.operation);
  if (it == entries_.end()) {
    entries_.emplace(request.operation,
                     entry{.request = request,
                           .ended = false,
                           .report = {.operation = request.operation,
                                      .sandbox = request.sandbox,
                                      .tag = request.tag,
                                      .mode = request.mode,
                                      .stages = {{.which = stage::admit}},
                                      .subject = request.subject},
                           .digest = request_digest(request)});
    return operation_claim::fresh;
  }
  if (!differing_field(it->second.request, request).empty())
    return operation_claim::conflict;
  return it->second.ended ? operation_claim::ended : operation_claim::joined;
}

void operation_table::withdraw(const operation_id& operation) {
  const auto it = entries_.find(operation);
  if (it != entries_.end() && !it->second.ended)
    entries_.erase(it);
}

void operation_table::finish(const branch_report& report) {
  const auto it = entries_.find(report.operation);
  if (it == entries_.end() || it->second.ended)
    return;
  it->second.report = report;
  it->second.ended = true;
  note_ended(report.operation);
}

void operation_table::learn(const branch_request& request,
                            const branch_report& report) {
  const auto [it, is_new] = entries_.try_emplace(
    request.operation, entry{.request = request,
                             .report = report,
                             .digest = request_digest(request)});
  if (!is_new)
    return;
  it->second.ended = true;
  note_ended(request.operation);
}

operation_status
operation_table::status_of(const operation_id& operation) const {
  const auto it = entries_.find(operation);
  if (it == entries_.end())
    return {.operation = operation};
  const auto state =
    it->second.ended ? operation_state::ended : operation_state::running;
  auto result = operation_status{.operation = operation,
                                 .state = state,
                                 .report = it->second.report,
                                 .asked = it->second.digest};
  result.report.subject = it->second.request.subject;
  return result;
}

std::vector<operation_status> operation_table::list() const {
  auto result = std::vector<operation_status>{};
  result.reserve(entries_.size());
  for (const auto& operation : ended_)
    result.push_back(status_of(operation));
  for (const auto& [operation, known] : entries_)
    if (!known.ended)
      result.push_back(status_of(operation));
  return result;
}

void operation_table::note_ended(const operation_id& operation) {
  ended_.push_back(operation);
  while (ended_.size() > ended_max_) {
    entries_.erase(ended_.front());
    ended_.pop_front();
  }
}

} // namespace forkfleet
