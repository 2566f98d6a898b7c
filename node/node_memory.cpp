// SPDX-License-Identifier: Apache-2.0
// The memory of a NODE's host: what its VMs take and may come to take, and
// whether there is room for one more.
#include <utility>

#include "node/host_worker.hpp"
#include "node/limits/memory_admission.hpp"
#include "node/node_work.hpp"

namespace forkfleet::node_work {

namespace {

bool has_memory(const sandbox_record& record) {
  return record.spec.driver != config::driver_kind::simulated;
}

memory_claim claim_of(const sandbox_record& record) {
  return {.guest_bytes = record.spec.memory.value,
          .is_child = record.origin == sandbox_origin::restored,
          .limit_bytes =
            record.unenforced.empty() ? record.limits.memory_bytes : 0};
}

/// One that is stuck may run all the same.
bool may_run(const managed_sandbox& managed) {
  return managed.info.state != sandbox_state::gone
         && managed.info.state != sandbox_state::stopped && !managed.is_waiting;
}

/// What all VMs but one have been promised, and have taken of it: those of
/// sandboxes, and those that rollbacks are about to put in a place.
std::vector<memory_claim> claims_beside(node_pointer self,
                                        const sandbox_id& except) {
  const auto& st = self->state;
  std::vector<memory_claim> result;
  for (const auto& [id, managed] : st.sandboxes) {
    if (id == except || !may_run(managed) || !has_memory(managed.record))
      continue;
    auto claim = claim_of(managed.record);
    claim.guest_bytes = managed.info.memory_bytes;
    if (const auto seen = st.memory.vms.find(id); seen != st.memory.vms.end())
      claim.own_bytes = seen->second.own_bytes;
    result.push_back(claim);
  }
  for (const auto& [operation, run] : st.switches.running)
    if (run->from.empty() && has_memory(run->record))
      result.push_back(claim_of(run->record));
  return result;
}

/// VMs but this one that are started now, and have not opened all that they
/// will have open.
uint64_t starting_beside(node_pointer self, const sandbox_id& except) {
  const auto& st = self->state;
  uint64_t result = 0;
  for (const auto& [id, managed] : st.sandboxes)
    if (id != except && !managed.handle && may_run(managed))
      ++result;
  for (const auto& [operation, run] : st.switches.running)
    result += run->from.empty() && !run->vmm ? 1 : 0;
  return result;
}

void take_descriptors(node_pointer self, const descriptor_sample& sample) {
  auto& load = self->state.load;
  load.descriptors_max = sample.max;
  load.descriptors_open = sample.is_known ? sample.open : sample.max;
  load.descriptor_room = descriptor_room(sample, starting_beside(self, {}));
}

memory_targets targets_of(node_pointer self) {
  memory_targets result;
  for (const auto& [id, managed] : self->state.sandboxes)
    if (managed.handle && managed.info.pid > 0 && has_memory(managed.record))
      result.emplace(id, managed.info.pid);
  return result;
}

void take_sample(node_pointer self, const memory_sample& sample) {
  auto& st = self->state;
  if (!sample.is_known)
    return;
  st.memory = sample;
  st.load.memory_free_bytes = sample.available_bytes;
  st.load.memory_used_bytes = 0;
  for (const auto& [id, use] : sample.vms)
    st.load.memory_used_bytes += use.shared_bytes;
  st.load.memory_promised_bytes =
    promised_to(claims_beside(self, {}), st.settings.limits);
}

} // namespace

void after_memory_look(node_pointer self, std::function<void()> then) {
  const auto& memory = self->state.services.memory;
  if (!memory)
    return then();
  auto job = host_job{[memory, targets = targets_of(self)] {
    return host_answer{.memory = memory(targets)};
  }};
  run_on(self, next_hand(self), std::move(job),
         [self, then](const host_answer& answer) {
           take_sample(self, answer.memory);
           then();
         });
}

void refresh_load(node_pointer self) {
  auto& st = self->state;
  if (std::exchange(st.measuring, true))
    return;
  auto job = host_job{[store = st.services.store, memory = st.services.memory,
                       descriptors = st.services.descriptors,
                       targets = targets_of(self)] {
    auto answer = host_answer{};
    if (descriptors)
      answer.descriptors = descriptors();
    answer.load.disk_free_bytes = store->free_bytes();
    if (memory)
      answer.memory = memory(targets);
    return answer;
  }};
  run_on(self, next_hand(self), std::move(job),
         [self](const host_answer& answer) {
           self->state.measuring = false;
           if (answer.outcome)
             return;
           self->state.load.disk_free_bytes = answer.load.disk_free_bytes;
           take_sample(self, answer.memory);
           if (self->state.services.descriptors)
             take_descriptors(self, answer.descriptors);
         });
}

status admit_vm(node_pointer self, const sandbox_record& record,
                bool is_rollback) {
  const auto& st = self->state;
  const auto counted = is_rollback ? sandbox_id{} : record.id;
  if (st.services.descriptors && has_memory(record)) {
    const auto now = st.services.descriptors();
    take_descriptors(self, now);
    if (auto fine = admit_descriptors(now, starting_beside(self, counted));
        !fine)
      return fine;
  }
  if (!st.memory.is_known || !has_memory(record)
      || record.origin == sandbox_origin::attached)
    return {};
  return admit_memory(claim_of(record), claims_beside(self, counted),
                      st.memory.available_bytes, st.settings.limits);
}

sandbox_limits limits_of_child(node_pointer self,
                               const restore_request& request) {
  const auto& st = self->state;
  const auto& snapshot = st.snapshots.at(request.tag);
  if (snapshot.driver == schema::name_of(config::driver_kind::simulated))
    return {};
  auto inherited = snapshot.limits;
  // An older snapshot does not tell them.
  if (const auto source = st.sandboxes.find(snapshot.source);
      inherited.empty() && source != st.sandboxes.end())
    inherited = source->second.record.limits;
  return merge(request.limits,
               merge(inherited, st.settings.limits.sandbox.limits()));
}

} // namespace forkfleet::node_work
