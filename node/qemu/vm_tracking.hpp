// SPDX-License-Identifier: Apache-2.0
// What is known of one VM's changes, and by which means: its own tracker, or
// for a child what it has of its own; and what else it is made of.
#pragma once

#include <optional>
#include <string>

#include "node/qemu/keeper_link.hpp"
#include "node/qemu/method_choice.hpp"
#include "node/qemu/page_tracker.hpp"
#include "node/qemu/qmp_client.hpp"
#include "node/qemu/vm_survey.hpp"

namespace forkfleet::qemu {

/// Where a VM's memory lies, as far as it is known.
struct memory_place {
  std::string directory = {}; // of the VM
  uint64_t bytes = 0;
  std::string path = {};   // the base image that a child maps
  uint64_t begin = 0;      // its address; 0: not known
  std::string origin = {}; // root hash of a child's snapshot
  bool attached = false;   // somebody else started the VM
  survey_plan survey = {}; // what it should be made of
};

/// See above. Used by one thread at a time.
class vm_tracking {
public:
  explicit vm_tracking(memory_place place) : place_{std::move(place)} {}

  /// Finds out what the VM is made of and what it allows. `keeper` may be null.
  /// Errors of QMP pass through: what could not be looked at is not known.
  status look(qmp_client& qmp, keeper_link* keeper, deadline_point until);

  /// Whether the VM is still one that this method captures whole: asked after
  /// the guest has resumed. vmm_refused says what changed meanwhile.
  status look_again(qmp_client& qmp, method_kind used, deadline_point until);

  /// Valid after `look`.
  const method_facts& facts() const { return facts_; }

  /// Whether a device may write memory while the guest stands.
  bool takes_input() const { return takes_input_; }

  /// Its address in QEMU's process; 0: not known.
  uint64_t memory_begin() const { return begin_; }

  /// Null when changes are not tracked.
  page_tracker* tracker() { return tracker_ ? &*tracker_ : nullptr; }

  /// The snapshot against which changes are known; empty: none.
  std::string since() const;

  /// About how much a capture of this scope takes.
  uint64_t bytes_of(capture_scope scope) const;

  /// A snapshot was sealed; `by_tracker`: of what the tracker found.
  void commit(const std::string& root_hash, bool by_tracker) noexcept;

private:
  expected<inventory_verdict> survey(qmp_client& qmp, deadline_point until);
  void find_memory(qmp_client& qmp, uint64_t told);
  void open_tracker(qmp_client& qmp, keeper_link* keeper, deadline_point until);
  status look_at_others(qmp_client& qmp, deadline_point until);

  memory_place place_;
  method_facts facts_ = {};
  std::optional<page_tracker> tracker_ = {};
  std::optional<page_map> pages_ = {};
  std::string own_since_ = place_.origin; // for pages of a child's own
  uint64_t begin_ = place_.begin;
  memory_kind kind_ = memory_kind::shared;
  bool takes_input_ = false;
  bool has_found_memory_ = false;
  bool has_looked_ = false;
};

} // namespace forkfleet::qemu
