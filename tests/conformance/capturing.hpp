// SPDX-License-Identifier: Apache-2.0
// The steps of a branch as a node takes them, for the conformance cases.
#pragma once

#include <memory>
#include <string>

#include "actors/unique_fd.hpp"
#include "tests/conformance/subject.hpp"
#include "tests/support/captured_memory.hpp"

namespace forkfleet::test {

/// Branches of one VM, each on the one before.
class capturing {
public:
  capturing(conformance_subject& subject, vmm& vm)
    : subject_{subject}, vm_{vm} {}

  /// Plans a capture of that mode. A diff is on `base`.
  capture_plan& plan(branch_mode mode, const taken_snapshot& base = {});

  /// Where the planned capture goes.
  captured_memory& memory() { return *memory_; }

  /// The stages up to that one, which is the first that may fail.
  status run_to(stage last);
  /// Up to the end of drain.
  expected<capture_result> run();
  /// The same, and commits: what was taken, as a sealed snapshot.
  taken_snapshot take(branch_mode mode, const taken_snapshot& base = {});

  /// What was drained, before it is sealed.
  taken_snapshot drained() const;
  taken_snapshot seal();

  deadline_point soon() const;

private:
  conformance_subject& subject_;
  vmm& vm_;
  capture_plan plan_ = {};
  captured_memory_ptr memory_ = {};
  std::string vmstate_path_ = {};
  std::shared_ptr<unique_fd> vmstate_ = {};
};

/// A VM of the subject that runs; the case fails when there is none.
vmm_ptr start_vm(conformance_subject& subject);

/// The snapshot is right, and not older than `least`; returns how far its
/// guest was.
uint64_t check_snapshot(conformance_subject& subject,
                        const taken_snapshot& snapshot, uint64_t least);

/// The guest runs, and not only by word.
void check_guest_runs(conformance_subject& subject, vmm& vm);

} // namespace forkfleet::test
