// SPDX-License-Identifier: Apache-2.0
#include "coordinator/branch_ledger.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "actors/same_request.hpp"

namespace forkfleet {

namespace {

template <class Request>
std::string_view differing_request(const operation_intent& known,
                                   const operation_intent& intent) {
  const auto* before = std::get_if<Request>(&known.request);
  const auto* now = std::get_if<Request>(&intent.request);
  return before && now ? differing_field(*before, *now) : std::string_view{};
}

/// In what the intent differs from the one that the entry was opened with;
/// empty: in nothing.
std::string_view difference(const ledger_entry& entry,
                            const operation_intent& intent) {
  const auto& known = entry.intent;
  if (known.kind != intent.kind)
    return "the request's kind";
  if (known.sandbox != intent.sandbox)
    return "sandbox";
  if (known.tag != intent.tag)
    return "tag";
  if (entry.is_learned)
    return known.digest.empty() || known.digest == intent.digest
             ? std::string_view{}
             : "mode, max_pause_ms, labels or note";
  if (known.mode != intent.mode)
    return "mode";
  const auto of_branch = differing_request<branch_request>(known, intent);
  return of_branch.empty() ? differing_request<restore_request>(known, intent)
                           : of_branch;
}

template <class Names>
bool held_by_other(const Names& names, const typename Names::key_type& name,
                   const operation_id& operation) {
  const auto found = names.find(name);
  return found != names.end() && found->second != operation;
}

template <class Names>
void release_name(Names& names, const typename Names::key_type& name,
                  const operation_id& operation) {
  const auto found = names.find(name);
  if (found != names.end() && found->second == operation)
    names.erase(found);
}

bool is_usable(const operation_status& told) {
  return is_valid(told.operation) && is_valid(told.report.sandbox)
         && is_valid(told.report.tag) && told.state != operation_state::unknown;
}

} // namespace

operation_intent intent_of(const branch_request& x) {
  return {.operation = x.operation,
          .kind = operation_kind::branch,
          .sandbox = x.sandbox,
          .tag = x.tag,
          .mode = x.mode,
          .subject = x.subject,
          .request = x,
          .digest = request_digest(x)};
}

operation_intent intent_of(const restore_request& x) {
  return {.operation = x.operation,
          .kind = operation_kind::restore,
          .sandbox = x.sandbox,
          .tag = x.tag,
          .subject = x.subject,
          .request = x,
          .digest = request_digest(x)};
}

branch_ledger::branch_ledger(ledger_limits limits) : limits_(limits) {}

expected<opening> branch_ledger::check(const operation_intent& intent) const {
  if (const auto* entry = find(intent.operation)) {
    if (const auto field = difference(*entry, intent); !field.empty())
      return tl::unexpected{conflict_of(intent.operation, field)};
    return entry->state == entry_state::ended ? opening::ended
                                              : opening::joined;
  }
  if (auto taken = name_taken(intent))
    return tl::unexpected{std::move(*taken)};
  if (open_count() >= limits_.open_max)
    return fail(ec::node_busy,
                fmt::format("the fleet has {} operations in flight, the most "
                            "that it takes",
                            limits_.open_max));
  return opening::opened;
}

std::optional<failure>
branch_ledger::name_taken(const snapshot_tag& tag) const {
  return name_taken(operation_intent{.tag = tag});
}

expected<opening> branch_ledger::open(const operation_intent& intent,
                                      const host_name& host) {
  auto result = check(intent);
  if (!result || *result != opening::opened)
    return result;
  entries_[intent.operation] = {.intent = intent, .host = host};
  open_[host].insert(intent.operation);
  if (intent.kind == operation_kind::branch)
    tags_[intent.tag] = intent.operation;
  else
    children_[intent.sandbox] = intent.operation;
  return opening::opened;
}

bool branch_ledger::close(const branch_report& report) {
  auto* entry = find_open(report.operation);
  if (!entry || entry->intent.kind != operation_kind::branch)
    return false;
  entry->branch = report;
  entry->branch.subject = entry->intent.subject;
  end(*entry);
  return true;
}

bool branch_ledger::close(const restore_report& report) {
  auto* entry = find_open(report.operation);
  if (!entry || entry->intent.kind != operation_kind::restore)
    return false;
  entry->restore = report;
  entry->restore.subject = entry->intent.subject;
  end(*entry);
  return true;
}

void branch_ledger::forget(const operation_id& operation) {
  const auto* entry = find_open(operation);
  if (!entry)
    return;
  release(*entry);
  entries_.erase(operation);
}

void branch_ledger::doubt(const operation_id& operation) {
  if (auto* entry = find_open(operation)) {
    entry->state = entry_state::uncertain;
    entry->is_asked = false;
  }
}

std::vector<operation_id> branch_ledger::doubt_all(const host_name& host) {
  auto result = std::vector<operation_id>{};
  const auto found = open_.find(host);
  if (found == open_.end())
    return result;
  for (const auto& operation : found->second) {
    auto& entry = entries_.at(operation);
    if (entry.state != entry_state::running)
      continue;
    entry.state = entry_state::uncertain;
    entry.is_asked = false;
    result.push_back(operation);
  }
  return result;
}

uint64_t branch_ledger::trust(const operation_id& operation) {
  auto* entry = find_open(operation);
  if (!entry)
    return 0;
  entry->state = entry_state::running;
  entry->is_asked = true;
  entry->attempt = ++attempts_;
  return entry->attempt;
}

bool branch_ledger::learn(const host_name& host, const operation_status& told) {
  if (!is_usable(told))
    return false;
  auto report = told.report;
  report.operation = told.operation;
  report.host = host;
  auto found = entries_.find(told.operation);
  const bool is_new = found == entries_.end();
  if (is_new) {
    const bool is_full =
      open_count() >= limits_.open_max && told.state != operation_state::ended;
    if (is_full)
      return false;
    const auto intent = operation_intent{.operation = told.operation,
                                         .sandbox = report.sandbox,
                                         .tag = report.tag,
                                         .mode = report.mode,
                                         .subject = report.subject,
                                         .digest = told.asked};
    found = entries_.try_emplace(told.operation).first;
    found->second = {.intent = intent, .host = host, .is_learned = true};
    open_[host].insert(told.operation);
    tags_.try_emplace(report.tag, told.operation);
  }
  auto& entry = found->second;
  const bool is_open_branch = entry.state != entry_state::ended
                              && entry.intent.kind == operation_kind::branch
                              && entry.host == host;
  if (!is_open_branch)
    return false;
  entry.branch = std::move(report);
  entry.branch.subject = entry.intent.subject;
  if (told.state != operation_state::ended) {
    entry.state = entry_state::running;
    return false;
  }
  end(entry);
  return !is_new;
}

const ledger_entry* branch_ledger::find(const operation_id& operation) const {
  const auto found = entries_.find(operation);
  return found == entries_.end() ? nullptr : &found->second;
}

operation_status branch_ledger::status(const operation_id& operation) const {
  auto result = operation_status{.operation = operation};
  const auto* entry = find(operation);
  if (!entry)
    return result;
  const bool has_ended = entry->state == entry_state::ended;
  result.state = has_ended ? operation_state::ended : operation_state::running;
  result.report = entry->branch;
  result.report.operation = operation;
  result.report.sandbox = entry->intent.sandbox;
  result.report.tag = entry->intent.tag;
  result.report.host = entry->host;
  result.report.subject = entry->intent.subject;
  result.asked = entry->intent.digest;
  if (entry->intent.kind == operation_kind::restore && has_ended) {
    result.report.outcome = entry->restore.outcome;
    result.report.total = entry->restore.total;
    result.report.memory_bytes = entry->restore.sandbox.memory_bytes;
    result.report.method = "restore";
  }
  if (entry->state == entry_state::uncertain)
    result.report.warnings.push_back(
      fmt::format("host '{}' stopped answering; its node tells what became of "
                  "it when it is back",
                  entry->host.value));
  return result;
}

std::vector<operation_id> branch_ledger::unasked(const host_name& host,
                                                 std::size_t count_max) const {
  auto result = std::vector<operation_id>{};
  const auto found = open_.find(host);
  if (found == open_.end())
    return result;
  for (const auto& operation : found->second) {
    if (result.size() == count_max)
      break;
    if (!entries_.at(operation).is_asked)
      result.push_back(operation);
  }
  return result;
}

ledger_entry* branch_ledger::find_open(const operation_id& operation) {
  const auto found = entries_.find(operation);
  if (found == entries_.end() || found->second.state == entry_state::ended)
    return nullptr;
  return &found->second;
}

std::optional<failure>
branch_ledger::name_taken(const operation_intent& intent) const {
  if (intent.kind == operation_kind::branch
      && held_by_other(tags_, intent.tag, intent.operation))
    return failure{ec::snapshot_exists,
                   fmt::format("operation '{}' is making snapshot '{}'",
                               tags_.at(intent.tag).value, intent.tag.value)};
  if (intent.kind == operation_kind::restore
      && held_by_other(children_, intent.sandbox, intent.operation))
    return failure{ec::sandbox_exists,
                   fmt::format("operation '{}' is making sandbox '{}'",
                               children_.at(intent.sandbox).value,
                               intent.sandbox.value)};
  return std::nullopt;
}

void branch_ledger::end(ledger_entry& entry) {
  release(entry);
  entry.state = entry_state::ended;
  ended_.push_back(entry.intent.operation);
  if (ended_.size() <= limits_.ended_max)
    return;
  const auto oldest = std::move(ended_.front());
  ended_.pop_front();
  entries_.erase(oldest);
}

void branch_ledger::release(const ledger_entry& entry) {
  const auto& intent = entry.intent;
  release_name(tags_, intent.tag, intent.operation);
  release_name(children_, intent.sandbox, intent.operation);
  const auto found = open_.find(entry.host);
  if (found == open_.end())
    return;
  found->second.erase(intent.operation);
  if (found->second.empty())
    open_.erase(found);
}

} // namespace forkfleet
