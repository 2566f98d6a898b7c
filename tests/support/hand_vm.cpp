// SPDX-License-Identifier: Apache-2.0
#include "tests/support/hand_vm.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sstream>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <utility>
#include <vector>

namespace forkfleet::test {

namespace {

using json = nlohmann::json;
using namespace std::chrono_literals;

constexpr auto qmp_deadline = 10s;
constexpr auto retry_after = 1ms;
constexpr const char* kernel = "build/guest/vmlinuz";
constexpr const char* initrd = "build/guest/initrd.img";
constexpr const char* qemu = "qemu-system-x86_64";

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The host's TSC in kHz as a word for the kernel: without it, its own
/// calibration hangs now and then under TCG.
std::string tsc_words() {
  std::istringstream lines(read_file("/proc/cpuinfo"));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("cpu MHz"))
      return " tsc_early_khz="
             + std::to_string(std::stoull(line.substr(line.find(':') + 1))
                              * 1000)
             + " tsc=nowatchdog";
  return {};
}

std::vector<std::string> command_line(const hand_vm_options& x) {
  const auto memory = std::to_string(x.memory_mib) + "M";
  const auto socket = [&x](const std::string& name) {
    return "socket,id=" + name + ",path=" + x.folder + "/" + name
           + ",server=on,wait=off";
  };
  std::vector<std::string> out{
    qemu,
    "-M",
    "microvm,accel=tcg,rtc=on,memory-backend=mem",
    "-m",
    memory,
    "-smp",
    "1",
    "-object",
    x.memory_file.empty() ? "memory-backend-ram,id=mem,size=" + memory
                          : "memory-backend-file,id=mem,share=off,size="
                              + memory + ",mem-path=" + x.memory_file,
    "-kernel",
    kernel,
    "-initrd",
    initrd,
    "-append",
    "console=ttyS0 reboot=k panic=1 quiet" + tsc_words() + " " + x.append,
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    "-display",
    "none",
    "-serial",
    "file:" + x.folder + "/console",
    "-chardev",
    socket("qmp"),
    "-mon",
    "chardev=qmp,mode=control",
    "-chardev",
    socket("debug"),
    "-device",
    "isa-debugcon,iobase=0xe9,chardev=debug"};
  if (!x.state_file.empty())
    out.insert(out.end(), {"-S", "-incoming", "exec:cat " + x.state_file});
  return out;
}

/// The child side of fork: becomes QEMU or ends.
[[noreturn]] void become(const std::vector<std::string>& words, int parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(127);
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const auto& word : words)
    pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  execvp(pointers[0], pointers.data());
  _exit(127);
}

/// Where guest memory begins in QEMU's address space; 0 if it is not found.
uint64_t find_memory(int pid, uint64_t bytes) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    uint64_t begin = 0;
    uint64_t end = 0;
    char dash = 0;
    words >> std::hex >> begin >> dash >> end;
    if (end - begin == bytes && line.find("rw-p") != std::string::npos)
      return begin;
  }
  return 0;
}

/// What xen-save-devices-state leaves out of a stream that can be loaded: the
/// configuration section after the header, and an empty description.
std::string complete_stream(const std::string& saved) {
  constexpr std::string_view machine = "microvm";
  const std::string configuration = std::string("\x07\0\0\0", 4)
                                    + static_cast<char>(machine.size())
                                    + std::string(machine);
  return saved.substr(0, 8) + configuration + saved.substr(8)
         + std::string("\x06\0\0\0\x02{}", 7);
}

status missing(const std::string& path) {
  return tl::unexpected(errno_failure(errno, path));
}

} // namespace

std::string guest_obstacle() {
  if (access(kernel, R_OK) != 0 || access(initrd, R_OK) != 0)
    return "no example guest in build/guest: run ./dev guest";
  if (access("/usr/bin/qemu-system-x86_64", X_OK) != 0)
    return "no qemu-system-x86_64: run ./dev setup";
  return {};
}

expected<std::unique_ptr<hand_vm>>
hand_vm::start(const hand_vm_options& options) {
  const auto words = command_line(options);
  const int parent = getpid();
  const int pid = fork();
  if (pid < 0)
    return tl::unexpected(errno_failure(errno, "fork"));
  if (pid == 0)
    become(words, parent);
  std::unique_ptr<hand_vm> vm(new hand_vm(options, pid));
  if (auto connected = vm->connect_qmp(); !connected)
    return tl::unexpected(connected.error());
  return vm;
}

hand_vm::hand_vm(hand_vm_options options, int pid)
  : options_(std::move(options)), pid_(pid) {}

hand_vm::~hand_vm() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

status hand_vm::connect_qmp() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (options_.folder + "/qmp")
    .copy(address.sun_path, sizeof address.sun_path - 1);
  qmp_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto end = std::chrono::steady_clock::now() + qmp_deadline;
  while (
    connect(qmp_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address)
    != 0) {
    if (std::chrono::steady_clock::now() > end)
      return missing(address.sun_path);
    std::this_thread::sleep_for(retry_after);
  }
  const auto greeting = read_reply();
  if (!greeting)
    return tl::unexpected(greeting.error());
  const auto ready = execute("qmp_capabilities");
  return ready ? status() : tl::unexpected(ready.error());
}

expected<json> hand_vm::execute(const std::string& command,
                                const json& arguments) {
  const auto line =
    json{{"execute", command}, {"arguments", arguments}}.dump() + "\n";
  if (send(qmp_.get(), line.data(), line.size(), MSG_NOSIGNAL)
      != static_cast<ssize_t>(line.size()))
    return tl::unexpected(errno_failure(errno, command, ec::vmm_gone));
  while (true) {
    auto reply = read_reply();
    if (!reply)
      return reply;
    if (reply->contains("error"))
      return fail(ec::vmm_refused, command + ": " + (*reply)["error"].dump());
    if (reply->contains("return"))
      return (*reply)["return"];
  }
}

expected<json> hand_vm::read_reply() {
  const auto end = std::chrono::steady_clock::now() + qmp_deadline;
  size_t newline = std::string::npos;
  while ((newline = received_.find('\n')) == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      end - std::chrono::steady_clock::now());
    pollfd waiting{qmp_.get(), POLLIN, 0};
    if (left <= 0ms || poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
      return fail(ec::deadline_exceeded, options_.folder + "/qmp");
    std::array<char, 4096> buffer{};
    const auto got = recv(qmp_.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0)
      return fail(ec::vmm_gone, options_.folder + "/qmp");
    received_.append(buffer.data(), static_cast<size_t>(got));
  }
  auto reply = json::parse(received_.substr(0, newline), nullptr, false);
  received_.erase(0, newline + 1);
  if (reply.is_discarded())
    return fail(ec::vmm_refused, options_.folder + "/qmp: not JSON");
  return reply;
}

status hand_vm::copy_memory(const std::string& file, uint64_t offset,
                            uint64_t bytes) {
  const auto base = find_memory(pid_, memory_bytes());
  if (base == 0)
    return fail(ec::vmm_refused, "guest memory is not in QEMU's maps");
  const unique_fd out(open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!out || ftruncate(out.get(), static_cast<off_t>(memory_bytes())) != 0)
    return missing(file);
  std::vector<char> buffer(4 << 20);
  for (auto at = offset; at < offset + bytes;) {
    const auto part = std::min<uint64_t>(buffer.size(), offset + bytes - at);
    const iovec local{buffer.data(), part};
    const iovec remote{reinterpret_cast<void*>(base + at), part};
    const auto got = process_vm_readv(pid_, &local, 1, &remote, 1, 0);
    if (got <= 0
        || pwrite(out.get(), buffer.data(), static_cast<size_t>(got),
                  static_cast<off_t>(at))
             != got)
      return missing(file);
    at += static_cast<uint64_t>(got);
  }
  return {};
}

status hand_vm::save_state(const std::string& file) {
  const auto raw = file + ".raw";
  const auto saved =
    execute("xen-save-devices-state", {{"filename", raw}, {"live", false}});
  if (!saved)
    return tl::unexpected(saved.error());
  std::ofstream out(file, std::ios::binary);
  out << complete_stream(read_file(raw));
  out.close();
  return out ? status() : missing(file);
}

std::string hand_vm::console() const {
  return read_file(options_.folder + "/console");
}

} // namespace forkfleet::test
