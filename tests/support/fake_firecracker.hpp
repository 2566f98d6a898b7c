// SPDX-License-Identifier: Apache-2.0
// Firecracker's API without a VM, for hosts without KVM: which call is
// allowed when, what each version knows, and what it says when it refuses.
// Its guest is a simulated one, so that each snapshot shows whether it is of
// one instant.
//
// What the real one does not have: the guest's habits stand on the kernel's
// command line as working_pages=N and writes=N (per second), and /fake tells
// and does what a test needs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/firecracker/version_rules.hpp"
#include "node/simulated/machine.hpp"
#include "tests/support/fake_body.hpp"
#include "tests/support/fake_http.hpp"

namespace forkfleet::test {

/// What goes wrong at the next call of a kind; see PUT /fake.
struct fake_trouble {
  std::string call = {}; // pause, resume, create, load, or any target
  uint64_t fails_after = ~uint64_t{0};
  std::string fault = {};    // refused with this text
  uint64_t delay_ms = 0;     // answered so much later
  bool loses_answer = false; // done, and the connection closed
  bool ends = false;         // the process ends instead
};

class fake_firecracker {
public:
  fake_firecracker(firecracker::vmm_version version, std::string id)
    : version_{version}, rules_{firecracker::rules_of(version)}, id_{std::move(
                                                                   id)} {}

  fake_answer answer(const fake_request& request);

  /// A console that was not set is this process's standard output.
  void has_output() { has_output_ = true; }

  /// Its guest ends a moment after it was loaded, and the process with it.
  void end_after_load() { ends_after_load_ = true; }

  /// What the process ends with after the last answer.
  int exit_code() const { return exit_code_; }

private:
  enum class boot_phase : uint8_t { before, running, paused };

  fake_answer route(const fake_request& request);
  fake_answer get(const std::string& target);
  fake_answer put(const std::string& target, const std::string& text);
  fake_answer patch_vm(const std::string& text);

  fake_answer boot_source(fake_body body);
  fake_answer machine_config(fake_body body);
  fake_answer add_drive(const std::string& id, fake_body body);
  fake_answer serial(fake_body body);
  void open_console() const;
  fake_answer action(fake_body body);
  fake_answer start();
  fake_answer create(fake_body body);
  fake_answer dump(const std::string& kind, const std::string& state_path,
                   const std::string& memory_path);
  fake_answer load(fake_body body);
  fake_answer restore(const std::string& state_path,
                      const std::string& memory_path, bool resumes);

  fake_answer tell_fake() const;
  fake_answer set_fake(fake_body body);
  std::optional<fake_trouble> take_trouble(const std::string& call);

  firecracker::vmm_version version_;
  firecracker::version_rules rules_;
  std::string id_;
  int exit_code_ = 0;
  boot_phase phase_ = boot_phase::before;
  bool is_boot_path_ = false; // a boot resource was set: no load any more
  bool has_kernel_ = false;
  uint64_t vcpus_ = 1;
  uint64_t memory_mib_ = 128;
  bool tracks_ = false;
  schema::json drives_ = schema::json::array();
  guest_habits habits_ = {};
  std::string console_ = {}; // a file; empty: standard output
  bool has_output_ = false;
  bool ends_after_load_ = false;
  simulated_machine_ptr machine_ = {};
  uint64_t creates_in_pause_ = 0;
  std::vector<std::string> calls_ = {};
  std::vector<fake_trouble> troubles_ = {};
};

} // namespace forkfleet::test
