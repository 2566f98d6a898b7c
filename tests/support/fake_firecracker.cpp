// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_firecracker.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <sstream>
#include <string_view>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/unique_fd.hpp"
#include "tests/support/fake_replies.hpp"

namespace forkfleet::test {

using schema::json;

namespace {

constexpr const char* too_early = "The requested operation is not supported "
                                  "before starting the microVM.";
constexpr const char* too_late = "The requested operation is not supported "
                                 "after starting the microVM.";
constexpr uint64_t vcpus_max = 32;

bool can_be_read(const std::string& path) {
  return ::access(path.c_str(), R_OK) == 0;
}

/// name=N on the kernel's command line.
void take_habit(const std::string& line, const std::string& name,
                uint64_t& value) {
  auto words = std::istringstream{line};
  auto word = std::string{};
  while (words >> word)
    if (word.starts_with(name + "="))
      value = std::strtoull(word.c_str() + name.size() + 1, nullptr, 10);
}

std::string call_name(const fake_request& x) {
  if (x.target == "/vm" && x.method == "PATCH")
    return x.body.find("Paused") != std::string::npos ? "pause" : "resume";
  if (x.target == "/snapshot/create")
    return "create";
  if (x.target == "/snapshot/load")
    return "load";
  return x.method + " " + x.target;
}

} // namespace

fake_answer fake_firecracker::answer(const fake_request& request) {
  if (request.target == "/fake")
    return request.method == "GET" ? tell_fake()
                                   : set_fake(fake_body{request.body});
  const auto call = call_name(request);
  calls_.push_back(call);
  const auto trouble = call == "create" ? std::nullopt : take_trouble(call);
  if (trouble && trouble->ends) {
    exit_code_ = 1;
    return {.ends_server = true, .is_lost = true};
  }
  if (trouble && trouble->delay_ms > 0)
    ::usleep(static_cast<useconds_t>(trouble->delay_ms * 1000));
  if (trouble && !trouble->fault.empty())
    return refuse(trouble->fault);
  auto reply = route(request);
  reply.is_lost = trouble && trouble->loses_answer;
  return reply;
}

fake_answer fake_firecracker::route(const fake_request& request) {
  if (request.method == "GET")
    return request.body.empty() ? get(request.target)
                                : refuse("GET request cannot have a body.");
  if (request.method == "PUT")
    return request.body.empty() ? refuse("Empty PUT request.")
                                : put(request.target, request.body);
  if (request.method == "PATCH" && request.body.empty())
    return refuse("Empty PATCH request.");
  if (request.method == "PATCH" && request.target == "/vm")
    return patch_vm(request.body);
  return unknown_path(request.method, request.target);
}

fake_answer fake_firecracker::get(const std::string& target) {
  const auto state = phase_ == boot_phase::before    ? "Not started"
                     : phase_ == boot_phase::running ? "Running"
                                                     : "Paused";
  const auto machine = json{{"vcpu_count", vcpus_},
                            {"mem_size_mib", memory_mib_},
                            {"smt", false},
                            {"track_dirty_pages", tracks_}};
  if (target == "/")
    return data({{"id", id_},
                 {"state", state},
                 {"vmm_version", to_string(version_)},
                 {"app_name", "Firecracker"}});
  if (target == "/version")
    return data({{"firecracker_version", to_string(version_)}});
  if (target == "/machine-config")
    return data(machine);
  if (target == "/vm/config")
    return data({{"drives", drives_},
                 {"machine-config", machine},
                 {"network-interfaces", json::array()}});
  return unknown_path("GET", target);
}

fake_answer fake_firecracker::put(const std::string& target,
                                  const std::string& text) {
  const bool has_begun = phase_ != boot_phase::before;
  auto body = fake_body{text};
  if (target == "/snapshot/create")
    return create(std::move(body));
  if (target == "/actions")
    return action(std::move(body));
  constexpr std::string_view drives = "/drives/";
  const bool is_drive = target.starts_with(drives);
  const bool is_serial = target == "/serial" && rules_.has_serial;
  if (target != "/boot-source" && target != "/machine-config"
      && target != "/snapshot/load" && !is_drive && !is_serial)
    return unknown_path("PUT", target);
  auto reply = has_begun ? refuse(too_late) : fake_answer{};
  if (target == "/boot-source")
    return has_begun ? reply : boot_source(std::move(body));
  if (target == "/machine-config")
    return has_begun ? reply : machine_config(std::move(body));
  if (target == "/snapshot/load")
    return has_begun ? reply : load(std::move(body));
  if (is_drive)
    return has_begun ? reply
                     : add_drive(target.substr(drives.size()), std::move(body));
  return has_begun ? reply : serial(std::move(body));
}

fake_answer fake_firecracker::boot_source(fake_body body) {
  const auto kernel = body.text("kernel_image_path");
  const auto initrd = body.text("initrd_path", false);
  const auto line = body.text("boot_args", false);
  if (const auto fault = body.fault(); !fault.empty())
    return misunderstood(fault);
  if (!can_be_read(kernel))
    return refuse("Boot source error: The kernel file cannot be opened: No "
                  "such file or directory (os error 2)");
  if (!initrd.empty() && !can_be_read(initrd))
    return refuse("Boot source error: The initrd file cannot be opened due to "
                  "invalid path or invalid permissions. No such file or "
                  "directory (os error 2)");
  is_boot_path_ = true;
  has_kernel_ = true;
  take_habit(line, "working_pages", habits_.working_pages);
  take_habit(line, "writes", habits_.writes_per_second);
  return {};
}

fake_answer fake_firecracker::machine_config(fake_body body) {
  const auto vcpus = body.number("vcpu_count");
  const auto memory = body.number("mem_size_mib");
  body.flag("smt");
  const bool tracks = body.flag("track_dirty_pages");
  body.text("cpu_template", false);
  if (version_ >= firecracker::vmm_version{1, 7, 0})
    body.choice("huge_pages", {"None", "Transparent", "2M"}, false);
  if (const auto fault = body.fault(); !fault.empty())
    return misunderstood(fault);
  if (*memory == 0)
    return refuse("Machine config error: The memory size (MiB) is either 0, "
                  "or not a multiple of the configured page size.");
  if (*vcpus == 0 || *vcpus > vcpus_max)
    return refuse("Machine config error: The number of vCPUs must be greater "
                  "than 0, less than 32 and must be 1 or an even number if SMT "
                  "is enabled.");
  is_boot_path_ = true;
  vcpus_ = *vcpus;
  memory_mib_ = *memory;
  tracks_ = tracks;
  return {};
}

fake_answer fake_firecracker::add_drive(const std::string& id, fake_body body) {
  const auto own_id = body.text("drive_id");
  const auto path = body.text("path_on_host", false);
  const bool is_root = body.flag("is_root_device", true);
  const bool is_readonly = body.flag("is_read_only");
  body.choice("cache_type", {"Unsafe", "Writeback"}, false);
  body.choice("io_engine", {"Sync", "Async"}, false);
  body.text("partuuid", false);
  if (const auto fault = body.fault(); !fault.empty())
    return misunderstood(fault);
  if (id.empty())
    return refuse("The ID cannot be empty.");
  if (id != own_id)
    return refuse("The id from the path does not match the id from the body!");
  if (!can_be_read(path))
    return refuse("Drive config error: Unable to create the virtio block "
                  "device: Virtio backend error: Error manipulating the "
                  "backing file: No such file or directory (os error 2) "
                  + path);
  is_boot_path_ = true;
  drives_.push_back({{"drive_id", id},
                     {"path_on_host", path},
                     {"is_root_device", is_root},
                     {"is_read_only", is_readonly}});
  return {};
}

fake_answer fake_firecracker::serial(fake_body body) {
  const auto path = body.text("serial_out_path", false);
  if (const auto fault = body.fault(); !fault.empty())
    return misunderstood(fault);
  console_ = path;
  return {};
}

/// The console is where it was set before the guest ran; a snapshot does not
/// have that setting.
void fake_firecracker::open_console() const {
  if (console_.empty() && !has_output_)
    return;
  const auto file =
    unique_fd{console_.empty() ? ::dup(STDOUT_FILENO)
                               : ::open(console_.c_str(),
                                        O_WRONLY | O_CREAT | O_APPEND, 0600)};
  constexpr std::string_view line = "the guest runs\n";
  [[maybe_unused]] const auto told =
    ::write(file.get(), line.data(), line.size());
}

fake_answer fake_firecracker::action(fake_body body) {
  const auto type = body.choice(
    "action_type", {"FlushMetrics", "InstanceStart", "SendCtrlAltDel"});
  if (const auto fault = body.fault(); !fault.empty())
    return misunderstood(fault);
  const bool is_before = phase_ == boot_phase::before;
  if (type == "InstanceStart")
    return is_before ? start() : refuse(too_late);
  return is_before ? refuse(too_early) : fake_answer{};
}

fake_answer fake_firecracker::start() {
  if (!has_kernel_)
    return refuse("Start microvm error: Cannot start microvm without kernel "
                  "configuration.");
  auto made = simulated_machine::boot(memory_mib_ << 20, vcpus_, habits_,
                                      std::chrono::steady_clock::now());
  if (!made)
    return refuse("Start microvm error: " + made.error().message);
  machine_ = *made;
  phase_ = boot_phase::running;
  open_console();
  return {};
}

fake_answer fake_firecracker::patch_vm(const std::string& text) {
  auto body = fake_body{text};
  const auto state = body.choice("state", {"Paused", "Resumed"});
  if (const auto fault = body.fault(); !fault.empty())
    return misunderstood(fault);
  if (phase_ == boot_phase::before)
    return refuse(too_early);
  const auto now = std::chrono::steady_clock::now();
  if (state == "Paused") {
    machine_->pause(now);
    phase_ = boot_phase::paused;
  } else {
    machine_->resume(now);
    phase_ = boot_phase::running;
    creates_in_pause_ = 0;
  }
  return {};
}

} // namespace forkfleet::test
