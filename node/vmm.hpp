// SPDX-License-Identifier: Apache-2.0
// The seam to a VM: what a driver can do with one running sandbox. QEMU and
// the simulated VMM implement it. Knows no CAF.
//
// A branch calls, on one thread and in this order: estimate, prepare, refine
// as often as it likes, pause, capture, resume, drain, and when the snapshot is
// sealed commit; or abandon after a failure. The guest runs before pause and
// after resume, and stands still in between.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/branch_protocol.hpp"
#include "actors/error.hpp"
#include "node/memory_image.hpp"

namespace forkfleet {

/// A point on the steady clock by which a call must have returned.
using deadline_point = std::chrono::steady_clock::time_point;

/// What this VM allows. An obstacle says why a mode is not to be had; empty
/// when it is.
struct vmm_capabilities {
  bool full = false;
  bool diff = false;
  bool live = false;
  std::string full_obstacle = {};
  std::string diff_obstacle = {};
  std::string live_obstacle = {};
  /// Whether `full` copies memory while the guest runs and stops it only for
  /// the rest; otherwise the guest stands for the whole copy.
  bool full_is_tracked = false;
  /// Whether a diff needs the base that `tracked_since` names; otherwise
  /// contents are compared, and any base will do.
  bool diff_is_tracked = false;
  /// Whether storage is written or synced while the guest stands, such as
  /// disks that a stop flushes: unwritten data then lengthens the pause.
  bool pause_touches_storage = false;
};

/// Where the VM stands.
enum class vmm_health : uint8_t { running, paused, stuck, gone, no_space };

constexpr auto enum_table(vmm_health) {
  using enum vmm_health;
  return std::to_array<schema::enum_entry<vmm_health>>({
    {running, "running"},
    {paused, "paused"},
    {stuck, "stuck"},
    {gone, "gone"},
    {no_space, "no_space", "it stands until its host's disk has space"},
  });
}

/// A file of the host that a VM used and that is no part of its snapshots: a
/// kernel, an image of a disk, what such an image lies over. What it was when
/// the VM began to use it.
struct pinned_file {
  std::string use = {};
  std::string path = {};
  uint64_t bytes = 0;
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;
  uint64_t inode = 0;
  std::string sha256 = {}; // empty: too large to be read

  friend bool operator==(const pinned_file&, const pinned_file&) = default;
  static constexpr schema::about about{
    "pinned_file", "A file of the host that a snapshot lies over."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("use", &pinned_file::use,
            "kernel, initrd, or a disk's name; with ':' and a number what "
            "lies under its image."),
      field("path", &pinned_file::path, "Where it was."),
      field("bytes", &pinned_file::bytes, "Its size."),
      field("modified_ns", &pinned_file::modified_ns,
            "When its content changed last, Unix time."),
      field("changed_ns", &pinned_file::changed_ns,
            "When the file system touched it last, Unix time."),
      field("inode", &pinned_file::inode, "Its number in its file system."),
      field("sha256", &pinned_file::sha256,
            "SHA-256 in hex; empty for a file that was too large to be read."),
    };
  }
};

/// What a snapshot of this VM needs to run again: the runnability contract.
/// It stands in the manifest, and the driver that made it reads it back. It
/// may come from a stranger: a driver takes from it what it knows, each field
/// checked, and nothing else.
struct run_contract {
  std::string driver = {};
  std::string vmm_version = {};
  std::string machine = {};
  std::string accelerator = {};
  std::string cpu = {};
  uint64_t memory_bytes = 0;
  uint64_t vcpus = 0;
  /// Everything else the driver must repeat, in its own words: the kernel's
  /// path and hash, the command line, the devices.
  std::vector<std::string> arguments = {};
  std::vector<pinned_file> files = {};

  friend bool operator==(const run_contract&, const run_contract&) = default;
  static constexpr schema::about about{"run_contract",
                                       "What a snapshot needs to run again."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("driver", &run_contract::driver, "Which VMM."),
      schema::field("vmm_version", &run_contract::vmm_version,
                    "Its version when the snapshot was taken."),
      schema::field("machine", &run_contract::machine, "The machine type."),
      schema::field("accelerator", &run_contract::accelerator, "kvm or tcg."),
      schema::field("cpu", &run_contract::cpu, "The CPU model."),
      schema::field("memory_bytes", &run_contract::memory_bytes,
                    "Guest memory."),
      schema::field("vcpus", &run_contract::vcpus, "Virtual CPUs."),
      schema::field("arguments", &run_contract::arguments,
                    "What the driver must repeat."),
      schema::field("files", &run_contract::files,
                    "Files of the host that must be as they were."),
    };
  }
};

/// What is known of a VM, for lists and logs.
struct vmm_description {
  uint64_t pid = 0;
  uint64_t memory_bytes = 0;
  uint64_t vcpus = 0;
  std::string accelerator = {};
  std::string console = {};       // file of the serial console's output
  std::string debug_console = {}; // socket of port 0xe9
  std::string agent = {};         // socket of the guest agent's port
};

/// Which pages of the guest's memory a capture takes.
enum class capture_scope : uint8_t {
  all,     // all that may differ from zero; the sink starts as zeros
  changed, // at least those that differ from the base
};

/// The snapshot that a capture of `changed` is relative to.
struct capture_base {
  std::string root_hash = {};
  memory_image_ptr image = {}; // its memory
};

/// What one branch is to capture, and where it goes. Sink and file belong to
/// the caller and stay open until drain or abandon returned.
struct capture_plan {
  operation_id operation = {};
  branch_mode mode = branch_mode::live; // full, diff or live
  capture_scope scope = capture_scope::all;
  capture_base base = {};        // empty unless `changed`
  memory_sink* memory = nullptr; // not needed by estimate
  int vmstate_fd = -1;           // device state; not needed by estimate
  std::chrono::milliseconds pause_max{5000};
  /// The pause that is wished for; 0: the shortest without long waits. The
  /// driver copies on while the guest runs as long as that brings it nearer.
  std::chrono::microseconds pause_wish{0};
  /// Asked between two passes: whether to give up. May be empty.
  std::function<bool()> is_cancelled = {};
};

/// What a capture would come to, told before anything is reserved.
struct capture_estimate {
  std::string method = {}; // such as "tracked"
  std::string reason = {}; // why not a better one; empty: it is the best
  uint64_t bytes = 0;      // about how much will go to the sink
};

/// What the pause will come to as things stand now.
struct capture_forecast {
  std::chrono::microseconds pause{0};
  uint64_t residual_bytes = 0;         // to be copied while the guest stands
  uint64_t dirty_bytes_per_second = 0; // 0 also where it is not measured
  uint64_t passes = 0;                 // over memory, while the guest ran
  /// Whether another pass can make the pause shorter.
  bool can_refine = false;
  /// False when passes do not help any more: the guest writes about as fast
  /// as memory is copied.
  bool converges = true;
  /// What `pause` rests on, for people; empty: measured in these passes.
  std::string basis = {};
  /// Nothing like it was measured yet: `pause` is an assumption.
  bool is_assumed = false;
  /// So many branches were refused for what `pause` rests on that one is due
  /// to be taken, whatever the budget, so that it is measured again.
  bool is_due = false;
};

/// A writable disk as it stood at one instant: qcow2 layers, the lowest first,
/// that nobody writes any more. They lie over the base that the contract
/// names.
struct frozen_disk {
  std::string name = {}; // such as disk0
  uint64_t bytes = 0;    // what the guest sees
  std::vector<std::string> layers = {};

  friend bool operator==(const frozen_disk&, const frozen_disk&) = default;
};

/// What a capture came to. Complete after drain.
struct capture_result {
  std::string method = {};                // such as "background-snapshot"
  std::string reason = {};                // why not a better one
  std::chrono::microseconds vmm_pause{0}; // by the VMM's stamps; 0: none
  uint64_t memory_bytes = 0;
  uint64_t written_bytes = 0;
  uint64_t vmstate_bytes = 0;
  uint64_t residual_bytes = 0; // copied while the guest stood
  uint64_t passes = 0;
  std::vector<std::string> warnings = {};
  /// Of this same instant. The files stay for as long as the VM does.
  std::vector<frozen_disk> disks = {};
};

/// One running VM. Used by one thread at a time. Errors: vmm_unreachable,
/// vmm_refused, vmm_gone, deadline_exceeded, unsupported, io_failed,
/// disk_full; resume also guest_stuck.
class vmm {
public:
  virtual ~vmm() = default;

  /// Asks the VM what it allows. Cheap after the first call.
  virtual expected<vmm_capabilities> capabilities(deadline_point until) = 0;

  /// Where the VM stands, asked of the VM itself. A guest that stands because
  /// a write found no space is let go on when there is some.
  virtual vmm_health health(deadline_point until) = 0;

  /// What the last `health` found besides, in people's words: what is missing,
  /// and where; or how the VM ended. Does not ask the VM.
  virtual std::string trouble() const { return {}; }

  /// What is known of it. Does not ask the VM.
  virtual vmm_description describe() const = 0;

  /// What a snapshot of it needs to run again.
  virtual run_contract contract() const = 0;

  /// The root hash of the snapshot that this VM's changes are known against:
  /// the last one committed, or the one that a child was started from. Empty
  /// when changes are not tracked, or not without a gap.
  virtual std::string tracked_since() const = 0;

  /// What a capture by this plan would come to, and by which method. Touches
  /// neither the guest nor what is tracked. unsupported names the obstacle.
  virtual expected<capture_estimate> estimate(const capture_plan& plan,
                                              deadline_point until) = 0;

  /// All that may take time, allocate or fail, while the guest runs: also
  /// copies of memory into the sink.
  virtual expected<capture_forecast> prepare(const capture_plan& plan,
                                             deadline_point until) = 0;

  /// One more pass while the guest runs. Without harm where it is no use.
  virtual expected<capture_forecast> refine(deadline_point until) = 0;

  /// Stops the vCPUs. After an error the guest may stand: call resume.
  virtual status pause(deadline_point until) = 0;

  /// Memory and device state of this instant. No storage is touched: what is
  /// not copied now is protected until drain has copied it.
  virtual status capture(deadline_point until) = 0;

  /// Lets the guest run and sees it run. Called whatever happened before;
  /// returns guest_stuck when it could not.
  virtual status resume(deadline_point until) = 0;

  /// How long the guest stood in the last pause: from the VMM's stamp of its
  /// stop until it was seen running. 0: it was never asked to stop. Empty: not
  /// known; it may have stood from `pause` to the end of `resume`. Does not
  /// ask the VM.
  virtual std::optional<std::chrono::microseconds> stood() const { return {}; }

  /// The branch is not taken because of its last forecast.
  virtual void refused() noexcept {}

  /// Completes sink and file, unsynced. The guest runs.
  virtual expected<capture_result> drain(deadline_point until) = 0;

  /// What was drained last is sealed under this root hash: changes count from
  /// there. Until this is called they count from the base before, and what a
  /// failed capture took is part of the next one.
  virtual void commit(const std::string& root_hash) noexcept = 0;

  /// Gives up the capture in progress, without harm to the guest; also
  /// correct when there is none.
  virtual void abandon() noexcept = 0;

  /// Ends the VM if we started it; lets it go if we attached to it.
  virtual status stop(deadline_point until) = 0;
};

using vmm_ptr = std::shared_ptr<vmm>;

} // namespace forkfleet
