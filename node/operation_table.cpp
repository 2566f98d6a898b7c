// SPDX-License-Identifier: Apache-2.0
#include "node/operation_table.hpp"

#include <utility>

namespace forkfleet {

bool asks_the_same(const branch_request& a, const branch_request& b) {
  return a.sandbox == b.sandbox && a.tag == b.tag && a.mode == b.mode;
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
                                      .stages = {{.which = stage::admit}}}});
    return operation_claim::fresh;
  }
  if (!asks_the_same(it->second.request, request))
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
    request.operation, entry{.request = request, .report = report});
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
  return {.operation = operation, .state = state, .report = it->second.report};
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
