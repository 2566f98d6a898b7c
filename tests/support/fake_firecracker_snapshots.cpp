// SPDX-License-Identifier: Apache-2.0
// The part of the fake that makes and loads snapshots, and what tests ask it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

#include "tests/support/fake_firecracker.hpp"
#include "tests/support/fake_replies.hpp"
#include "tests/support/fake_snapshot.hpp"

namespace forkfleet::test {

using schema::json;
using std::chrono::steady_clock;

namespace {

constexpr int exit_bad_configuration = 152;

std::string line_of(const firecracker::vmm_version& x) {
  return fmt::format("{}.{}", x.major, x.minor);
}

} // namespace

fake_answer fake_firecracker::create(fake_body body) {
  auto kind = body.choice("snapshot_type", {"Full", "Diff"}, false);
  const auto state_path = body.text("snapshot_path");
  const auto memory_path = body.text("mem_file_path");
  if (version_ < firecracker::vmm_version{1, 6, 0})
    body.text("version", false);
  if (const auto fault = body.fault(); !fault.empty())
    return misunderstood(fault);
  if (kind.empty())
    kind = "Full";
  if (phase_ == boot_phase::before)
    return refuse("The requested operation is not supported before starting "
                  "the microVM.");
  if (kind == "Diff" && !tracks_ && !rules_.diff_without_tracking)
    return refuse("The requested operation is not supported: Diff snapshots "
                  "are not allowed on uVMs with dirty page tracking disabled.");
  if (phase_ != boot_phase::paused)
    return refuse("Create snapshot error: Cannot save the microVM state: "
                  "Operation not allowed: save/restore unavailable while "
                  "running");
  return dump(kind, state_path, memory_path);
}

fake_answer fake_firecracker::dump(const std::string& kind,
                                   const std::string& state_path,
                                   const std::string& memory_path) {
  const auto trouble = take_trouble("create").value_or(fake_trouble{});
  if (trouble.delay_ms > 0)
    ::usleep(static_cast<useconds_t>(trouble.delay_ms * 1000));
  if (trouble.ends) {
    exit_code_ = 1;
    return {.ends_server = true, .is_lost = true};
  }
  if (!trouble.fault.empty())
    return refuse(trouble.fault);
  const auto now = steady_clock::now();
  auto state = fake_state{.guest = machine_->state(now),
                          .line = line_of(version_),
                          .vcpus = vcpus_,
                          .drives = schema::dump(drives_)};
  // Another create within one pause may save registers of a later time.
  state.guest.tick += creates_in_pause_++;
  if (auto done = write_state_file(state_path, state); !done)
    return refuse("Create snapshot error: " + done.error().message);
  auto job = fake_dump{.version = version_,
                       .is_full = kind == "Full",
                       .fails_after = trouble.fails_after};
  if (!job.is_full)
    job.pages = tracks_ ? machine_->take_written(now) : machine_->touched(now);
  if (auto done = write_memory_file(memory_path, *machine_, job); !done) {
    if (rules_.full_resets_tracking && tracks_ && !job.is_full)
      machine_->give_back_written(job.pages);
    return refuse("Create snapshot error: " + done.error().message);
  }
  if (job.is_full && rules_.full_resets_tracking)
    machine_->take_written(now);
  return {.is_lost = trouble.loses_answer};
}

fake_answer fake_firecracker::load(fake_body body) {
  const auto state_path = body.text("snapshot_path");
  auto memory_path = body.text("mem_file_path", false);
  auto backend = body.object("mem_backend", false);
  const bool old_tracks = body.flag("enable_diff_snapshots");
  bool tracks = old_tracks;
  if (version_ >= firecracker::vmm_version{1, 13, 0})
    tracks = body.flag("track_dirty_pages") || old_tracks;
  const bool resumes = body.flag("resume_vm");
  if (backend && !memory_path.empty())
    body.fail("too many fields: either `mem_backend` or `mem_file_path` "
              "exclusively is required");
  if (!backend && memory_path.empty())
    body.fail("missing field: either `mem_backend` or `mem_file_path` is "
              "required");
  if (backend) {
    memory_path = backend->text("backend_path");
    backend->choice("backend_type", {"File"});
    if (const auto fault = backend->fault(); !fault.empty())
      body.fail(fault);
  }
  if (const auto fault = body.fault(); !fault.empty())
    return misunderstood(fault);
  if (is_boot_path_)
    return refuse("Load snapshot error: Loading a microVM snapshot not allowed "
                  "after configuring boot-specific resources.");
  tracks_ = tracks;
  auto reply = restore(state_path, memory_path, resumes);
  if (reply.code >= 400) {
    exit_code_ = exit_bad_configuration;
    reply.ends_server = true;
  }
  return reply;
}

fake_answer fake_firecracker::restore(const std::string& state_path,
                                      const std::string& memory_path,
                                      bool resumes) {
  const std::string prefix =
    "Load snapshot error: Failed to restore from snapshot: ";
  const auto state = read_state_file(state_path);
  if (!state)
    return refuse(prefix + "Failed to get snapshot state from file: "
                  + state.error().message);
  if (state->line != line_of(version_))
    return refuse(prefix
                  + "Failed to get snapshot state from file: Failed to load "
                    "snapshot state from file: Invalid data version: "
                  + state->line);
  const auto bytes = state->guest.memory_bytes;
  auto ram = guest_ram::map(
    {.bytes = bytes,
     .files = {memory_path},
     .segments = {{.address = 0, .bytes = bytes, .file = 0, .offset = 0}}});
  if (!ram)
    return refuse(prefix
                  + "Failed to load guest memory: " + ram.error().message);
  const auto drives = schema::parse_json(state->drives);
  for (const auto& x : drives ? *drives : json::array())
    if (::access(x.value("path_on_host", "").c_str(), R_OK) != 0)
      return refuse(prefix
                    + "Failed to build microVM from snapshot: Cannot "
                      "restore devices: Block: No such file or "
                      "directory (os error 2)");
  if (drives)
    drives_ = *drives;
  memory_mib_ = bytes >> 20;
  vcpus_ = state->vcpus;
  const auto now = steady_clock::now();
  machine_ = simulated_machine::resume_from(std::move(*ram), state->guest,
                                            vcpus_, habits_, now);
  phase_ = boot_phase::running;
  open_console();
  if (ends_after_load_)
    std::thread{[] {
      std::this_thread::sleep_for(std::chrono::milliseconds{300});
      std::fputs("vCPU exit: the guest cannot go on here\n", stderr);
      std::_Exit(exit_bad_configuration);
    }}.detach();
  if (!resumes) {
    machine_->pause(now);
    phase_ = boot_phase::paused;
  }
  return {};
}

fake_answer fake_firecracker::tell_fake() const {
  const auto now = steady_clock::now();
  return data({{"tick", machine_ ? machine_->state(now).tick : 0},
               {"pauses", machine_ ? machine_->pauses() : 0},
               {"calls", calls_}});
}

fake_answer fake_firecracker::set_fake(fake_body body) {
  const auto now = steady_clock::now();
  if (const auto pages = body.number("write_pages", false); pages && machine_)
    machine_->write(*pages, now);
  if (const auto rate = body.number("writes", false); rate && machine_)
    machine_->set_writes_per_second(*rate, now);
  auto trouble = fake_trouble{.call = body.text("call", false)};
  trouble.fails_after =
    body.number("fails_after", false).value_or(trouble.fails_after);
  trouble.fault = body.text("fault", false);
  trouble.delay_ms = body.number("delay_ms", false).value_or(0);
  trouble.loses_answer = body.flag("loses_answer");
  trouble.ends = body.flag("ends");
  if (const auto fault = body.fault(); !fault.empty())
    return misunderstood(fault);
  if (!trouble.call.empty())
    troubles_.push_back(trouble);
  return {};
}

std::optional<fake_trouble>
fake_firecracker::take_trouble(const std::string& call) {
  const auto found = std::ranges::find(troubles_, call, &fake_trouble::call);
  if (found == troubles_.end())
    return {};
  auto result = *found;
  troubles_.erase(found);
  return result;
}

} // namespace forkfleet::test
