// SPDX-License-Identifier: Apache-2.0
// The driver of Firecracker with the fake in Firecracker's place, as a subject
// of the conformance cases and for tests of its own.
#pragma once

#include <string>

#include "actors/schema/json_text.hpp"
#include "node/firecracker/firecracker_driver.hpp"
#include "tests/conformance/subject.hpp"
#include "tests/support/scratch.hpp"

namespace forkfleet::test {

class firecracker_subject : public conformance_subject {
public:
  /// A fake that says it has that version.
  explicit firecracker_subject(const std::string& version = "1.12.0");
  ~firecracker_subject() override;

  vmm_driver& driver() override { return driver_; }
  start_plan plan() override;
  start_plan child_plan(const taken_snapshot& parent) override;
  std::string new_vmstate_path() override;
  void let_guest_write(vmm& vm) override;
  expected<uint64_t> progress_of(const taken_snapshot& snapshot) override;
  expected<uint64_t> progress_of(vmm& vm) override;
  bool break_next(stage which, bool is_done_all_the_same) override;
  bool hang_next(stage which) override;
  void kill_vm(vmm& vm) override;
  deadline_point now() override { return std::chrono::steady_clock::now(); }

  /// Tells the fake of the VM in `directory` what to do; see PUT /fake.
  void tell(const std::string& directory, const std::string& body);
  /// What it tells: its calls, and how far its guest is.
  schema::json ask(const std::string& directory);

  std::string home() const { return home_.path(); }
  /// A fake that has `habit` in its name; see fake_firecracker_main.cpp.
  std::string program(const std::string& habit) const;
  std::string vm_directory() const { return home() + "/vm"; }
  const std::string& fast_directory() const { return fast_directory_; }

private:
  scratch_directory home_;
  std::string fast_directory_;
  std::string version_;
  std::string program_;
  int files_ = 0;
  firecracker_driver driver_;
};

/// The directory of a VM that was started, not attached to.
std::string directory_of(const vmm& vm);

} // namespace forkfleet::test
