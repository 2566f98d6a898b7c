// SPDX-License-Identifier: Apache-2.0
#include "node/recovery.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>
#include <utility>

#include "node/limits/sandbox_cgroups.hpp"
#include "node/sandbox_switch.hpp"

namespace forkfleet {

namespace {

constexpr auto resume_limit = std::chrono::seconds{10};

deadline_point in(std::chrono::seconds limit) {
  return std::chrono::steady_clock::now() + limit;
}

bool has_stage(const journal_entry& entry, stage which) {
  return std::ranges::any_of(
    entry.report.stages, [which](const auto& x) { return x.which == which; });
}

/// Whether the node died while it kept this guest standing still.
bool left_standing(const journal_entry& entry) {
  return !entry.ended && has_stage(entry, stage::pause)
         && !has_stage(entry, stage::resume);
}

class recovery {
public:
  explicit recovery(const recovery_plan& plan) : plan_{plan} {
    entries_ = plan.journal.load(result_.notes);
    for (auto& info : plan.store.list())
      sealed_.emplace(info.tag, std::move(info));
  }

  recovery_result run() {
    // The guests first: one may be standing still.
    auto loaded = plan_.records.load_all(result_.notes, &result_.unread);
    if (!loaded) {
      result_.outcome = loaded.error();
      return std::move(result_);
    }
    auto& records = *loaded;
    claim_networks(records);
    const auto replaced = take_replaced(records);
    find_all(replaced);
    find_all(records);
    for (const auto& record : replaced)
      end_replaced(record);
    for (const auto& record : records)
      adopt(record);
    for (auto& entry : entries_) {
      if (!entry.ended)
        conclude(entry);
      else if (entry.report.outcome
               && entry.report.outcome.code != ec::guest_stuck)
        withdraw(entry.request);
      // The fleet file may have given this host another name since.
      entry.report.host = plan_.host;
      result_.ended.push_back(std::move(entry));
    }
    return std::move(result_);
  }

private:
  using found_vm = expected<vmm_ptr>;

  /// The host's rules go with the last of them: one that could not be read
  /// may be of any.
  void claim_networks(const std::vector<sandbox_record>& records) {
    if (!plan_.networks)
      return;
    for (const auto& record : records)
      plan_.networks->claim(record.network);
    for (const auto& each : result_.unread)
      plan_.networks->claim({.space = each.place.value});
  }

  /// Many VMs may be slow to answer: they are asked side by side.
  void find_all(const std::vector<sandbox_record>& records) {
    auto answers = std::vector<found_vm>(records.size());
    auto next = std::atomic<std::size_t>{0};
    const auto work = [&] {
      for (auto i = next++; i < records.size(); i = next++)
        answers[i] = find_vm(records[i]);
    };
    auto others = std::vector<std::jthread>{};
    for (std::size_t i = 1; i < std::min(plan_.threads, records.size()); ++i)
      others.emplace_back(work);
    work();
    others.clear();
    for (std::size_t i = 0; i < records.size(); ++i)
      found_[place_of(records[i])] = std::move(answers[i]);
  }

  void adopt(const sandbox_record& record) {
    auto found = adopted_sandbox{.record = record, .info = info_of(record)};
    auto vm = std::move(found_.at(place_of(record)));
    if (!vm) {
      result_.notes.push_back("sandbox " + record.id.value + ": "
                              + to_string(vm.error()));
      const bool was_whole =
        record.origin == sandbox_origin::restored && !record.is_unfinished;
      if (vm.error().code == ec::vmm_gone && !was_whole)
        return forget(record);
      found.info.state = vm.error().code == ec::vmm_gone ? sandbox_state::gone
                                                         : sandbox_state::stuck;
      found.info.note = found.info.state == sandbox_state::gone
                          ? vm.error().message
                          : to_string(vm.error()) + "; it is looked for again";
      if (found.info.state == sandbox_state::stuck)
        found.was_standing = note_stuck(record.id, vm.error());
      result_.adopted.push_back(std::move(found));
      return;
    }
    if (record.is_unfinished && !(*vm)->describe().agent.empty())
      return end_nameless(record, **vm);
    found.vmm = std::move(*vm);
    note_whole(found.record);
    connect(record);
    settle(record.id, found);
    result_.adopted.push_back(std::move(found));
  }

  /// Its namespace may have been cut short, or be of before a switch.
  void connect(const sandbox_record& record) {
    if (!plan_.networks)
      return;
    if (auto made = plan_.networks->make(record.network); !made)
      result_.notes.push_back("the network of sandbox " + record.id.value + ": "
                              + to_string(made.error()));
  }

  /// A switch was cut short: the name is another VM's.
  void end_replaced(const sandbox_record& record) {
    const auto what = "sandbox " + record.id.value + ": its VM in "
                      + place_of(record).value
                      + " was replaced, or never took its place";
    const auto vm = std::move(found_.at(place_of(record)));
    auto ended = vm ? (*vm)->stop(in(adopt_limit)) : status{};
    if (!vm && vm.error().code != ec::vmm_gone)
      ended = tl::unexpected<failure>(vm.error());
    if (!ended) {
      result_.notes.push_back(what + ", and could not be ended: "
                              + to_string(ended.error())
                              + "; it is tried again");
      result_.doomed.push_back(record);
      return;
    }
    result_.notes.push_back(what + ": ended");
    forget(record);
  }

  /// A child that goes on with its source's entropy and names is no child.
  void end_nameless(const sandbox_record& record, vmm& vm) {
    result_.notes.push_back("sandbox " + record.id.value
                            + ": ended, the node was killed before its guest "
                              "took an identity of its own");
    if (auto ended = vm.stop(in(adopt_limit)); !ended) {
      result_.notes.push_back(to_string(ended.error()));
      result_.doomed.push_back(record);
      return;
    }
    forget(record);
  }

  /// A child that its driver found is whole, whatever was written down last.
  void note_whole(sandbox_record& record) {
    if (!std::exchange(record.is_unfinished, false))
      return;
    if (auto kept = plan_.records.save(record); !kept)
      result_.notes.push_back(to_string(kept.error()));
  }

  expected<vmm_ptr> find_vm(const sandbox_record& record) {
    const auto name = std::string{schema::name_of(record.spec.driver)};
    const auto driver = plan_.drivers.find(name);
    if (driver == plan_.drivers.end())
      return fail(ec::unsupported, "this node has no driver called " + name);
    return driver->second->adopt(
      {.id = place_of(record),
       .directory = plan_.records.directory(place_of(record)),
       .spec = record.spec,
       .leash_pid = plan_.leash_pid,
       .output_bytes = plan_.console_bytes},
      in(adopt_limit));
  }

  /// The branch that was in its pause window when this guest's node died.
  std::vector<journal_entry>::iterator find_standing(const sandbox_id& id) {
    return std::ranges::find_if(entries_, [&](const auto& x) {
      return left_standing(x) && x.request.sandbox == id;
    });
  }

  /// Nobody can tell whether the guest stands still: it is never hidden.
  bool note_stuck(const sandbox_id& id, const failure& why) {
    const auto standing = find_standing(id);
    if (standing == entries_.end())
      return false;
    standing->report.outcome = {
      ec::guest_stuck,
      "the guest may stand still, its VM is not found yet: " + to_string(why)};
    return true;
  }

  /// Resumes a guest that a branch of an earlier life left standing still,
  /// and no other: somebody may have paused it on purpose.
  void settle(const sandbox_id& id, adopted_sandbox& found) {
    const auto standing = find_standing(id);
    auto health = found.vmm->health(in(adopt_limit));
    if (health == vmm_health::paused && standing != entries_.end()) {
      const auto resumed = found.vmm->resume(in(resume_limit));
      standing->report.warnings.push_back(
        resumed ? "the guest was found standing still, and resumed"
                : "the guest was found standing still: "
                    + to_string(resumed.error()));
      if (!resumed)
        standing->report.outcome = resumed.error();
      health = resumed ? vmm_health::running : vmm_health::stuck;
    } else if (health == vmm_health::stuck && standing != entries_.end()) {
      standing->report.outcome = {
        ec::guest_stuck, "the VMM answers, but the guest does not run"};
    }
    found.info.state = state_of(health);
    found.info.note = health == vmm_health::paused ? "paused by somebody else"
                                                   : found.vmm->trouble();
  }

  static sandbox_state state_of(vmm_health health) {
    switch (health) {
      case vmm_health::running:
        return sandbox_state::running;
      case vmm_health::paused:
      case vmm_health::no_space:
        return sandbox_state::paused;
      case vmm_health::stuck:
        return sandbox_state::stuck;
      case vmm_health::gone:
        return sandbox_state::gone;
    }
    return sandbox_state::stuck;
  }

  sandbox_info info_of(const sandbox_record& record) const {
    return {.id = record.id,
            .host = plan_.host,
            .state = sandbox_state::running,
            .origin = record.origin,
            .driver = std::string{schema::name_of(record.spec.driver)},
            .memory_bytes = record.spec.memory.value,
            .vcpus = record.spec.vcpus,
            .parent = record.parent,
            .branches = record.branches,
            .started_at = record.created_at,
            .directory = plan_.records.directory(place_of(record)),
            .operation = record.operation,
            .identity = record.identity,
            .limits = record.limits,
            .cgroup = record.cgroup,
            .unenforced = record.unenforced,
            .network = record.network,
            .switched_by = record.switched_by};
  }

  /// Its VM is gone.
  void forget(const sandbox_record& record) {
    if (!record.cgroup.empty())
      if (auto gone =
            remove_cgroup(record.cgroup, cgroup_patience, in(adopt_limit));
          !gone)
        return result_.notes.push_back(to_string(gone.error()));
    if (plan_.networks)
      if (auto gone = plan_.networks->remove(record.network); !gone)
        return result_.notes.push_back(to_string(gone.error()));
    if (auto removed = plan_.records.remove(place_of(record)); !removed)
      result_.notes.push_back(to_string(removed.error()));
  }

  /// Gives a branch that was in flight its ending.
  void conclude(journal_entry& entry) {
    auto& report = entry.report;
    report.operation = entry.request.operation;
    report.sandbox = entry.request.sandbox;
    report.tag = entry.request.tag;
    report.host = plan_.host;
    if (const auto sealed = find_sealed(entry.request)) {
      report.outcome = {};
      report.mode = sealed->mode;
      report.method = sealed->method;
      report.base = sealed->base;
      report.memory_bytes = sealed->memory_bytes;
      report.root_hash = sealed->root_hash;
      report.warnings.push_back("the node was killed after the snapshot was "
                                "sealed: the times are lost");
    } else if (plan_.store.is_unread(entry.request.tag)) {
      // The entry stays open: the next start may be able to tell.
      report.outcome = {ec::io_failed,
                        "the node was killed, and snapshot "
                          + entry.request.tag.value
                          + " cannot be read: whether it was sealed by this "
                            "branch is not known"};
      entry.ended = true;
      return;
    } else {
      plan_.store.discard(entry.request.operation);
      if (!report.outcome)
        report.outcome = {ec::interrupted, "the node was killed "
                                             + std::string{where_it_was(entry)}
                                             + "; no snapshot was made"};
    }
    entry.ended = true;
    if (auto kept = plan_.journal.close(report); !kept)
      result_.notes.push_back(to_string(kept.error()));
  }

  /// The last step of a seal can fail, and taking it back can fail as well.
  /// What was told to have failed must not be seen by anybody. A guest that
  /// stays stuck fails its branch whether or not the snapshot was sealed.
  void withdraw(const branch_request& request) {
    if (!find_sealed(request))
      return;
    if (auto removed = plan_.store.remove(request.tag); !removed)
      return result_.notes.push_back(to_string(removed.error()));
    result_.notes.push_back("removed snapshot " + request.tag.value
                            + ": its branch had failed");
    sealed_.erase(request.tag);
  }

  static std::string_view where_it_was(const journal_entry& entry) {
    if (!has_stage(entry, stage::pause))
      return "before the pause";
    return has_stage(entry, stage::resume) ? "after the resume"
                                           : "in the pause window";
  }

  std::optional<snapshot_info>
  find_sealed(const branch_request& request) const {
    const auto found = sealed_.find(request.tag);
    if (found == sealed_.end() || found->second.operation != request.operation)
      return {};
    return found->second;
  }

  const recovery_plan& plan_;
  std::vector<journal_entry> entries_ = {};
  std::map<snapshot_tag, snapshot_info> sealed_ = {};
  std::map<sandbox_id, found_vm> found_ = {}; // by place
  recovery_result result_ = {};
};

} // namespace

recovery_result recover(const recovery_plan& plan) {
  return recovery{plan}.run();
}

} // namespace forkfleet
