// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fleet_fixture.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace forkfleet::test {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {

constexpr auto poll_interval = milliseconds{20};

/// How many sandboxes a part of a fleet file declares.
std::size_t count_names(const std::string& yaml) {
  constexpr std::string_view key = "name: ";
  std::size_t count = 0;
  for (auto at = yaml.find(key); at != std::string::npos;
       at = yaml.find(key, at + key.size()))
    ++count;
  return count;
}

client_settings patient(client_settings x) {
  x.connect = std::chrono::seconds{20};
  return x;
}

[[noreturn]] void become(const std::vector<std::string>& words, int log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  auto argv = std::vector<char*>{};
  for (const auto& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

} // namespace

uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = sockaddr_in{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto size = socklen_t{sizeof(address)};
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd, raw, size) != 0 || ::getsockname(fd, raw, &size) != 0)
    throw std::runtime_error{"no free port"};
  ::close(fd);
  return ntohs(address.sin_port);
}

std::string program_path(const std::string& name) {
  const char* own = std::getenv("FORKFLEET_BIN");
  return std::string{own != nullptr ? own : FORKFLEET_BUILT_PROGRAMS} + "/"
         + name;
}

bool eventually(const std::function<bool()>& holds, milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    std::this_thread::sleep_for(poll_interval);
  }
  return true;
}

program_run::program_run(const std::vector<std::string>& words,
                         const std::string& log,
                         const std::map<std::string, std::string>& extra) {
  const int fd =
    ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  pid_ = ::fork();
  if (pid_ == 0) {
    for (const auto& [name, value] : extra)
      ::setenv(name.c_str(), value.c_str(), 1);
    become(words, fd);
  }
  ::close(fd);
  if (pid_ < 0)
    throw std::runtime_error{"cannot start " + words.front()};
}

program_run::~program_run() {
  if (is_running())
    end(SIGKILL);
}

program_run::program_run(program_run&& other) noexcept
  : pid_{std::exchange(other.pid_, -1)}, status_{other.status_} {}

program_run& program_run::operator=(program_run&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(status_, other.status_);
  return *this;
}

bool program_run::is_running() {
  if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_)
    pid_ = -1;
  return pid_ > 0;
}

int program_run::end(int signal) {
  if (pid_ > 0)
    ::kill(pid_, signal);
  return wait(std::chrono::seconds{60});
}

int program_run::wait(milliseconds limit) {
  return eventually([this] { return !is_running(); }, limit) ? status_ : -1;
}

fleet_fixture::fleet_fixture(const fleet_shape& shape)
  : scratch_{}, shape_{shape}, port_{free_port()}, client_{patient(reach())} {
  // The tool that tests run is the owner's, with --coordinator as well.
  ::setenv("FORKFLEET_TOKEN", token().c_str(), 1);
  auto out = std::ofstream{file()};
  out << "version: 1\nname: test\nstate: state\ncoordinator:\n"
      << "  listen: 127.0.0.1:" << port_ << "\n  heartbeat: 200ms\n"
      << "  node_timeout: 2s\n";
  if (!shape.branch.empty())
    out << "branch:\n" << shape.branch;
  if (!shape.limits.empty())
    out << "limits:\n" << shape.limits;
  out << "hosts:\n";
  for (const auto& host : shape.hosts)
    out << "  - name: " << host << "\n    data: " << data_of(host) << "\n";
  if (!shape.sandboxes.empty())
    out << "sandboxes:\n" << shape.sandboxes;
}

fleet_fixture::~fleet_fixture() {
  for (auto& [host, run] : nodes_)
    if (run.is_running())
      run.end(SIGTERM);
}

void fleet_fixture::start() {
  start_coordinator();
  for (const auto& host : shape_.hosts)
    start_node(host);
  if (!eventually([this] { return is_ready(); }))
    throw std::runtime_error{"the fleet did not become ready"};
}

void fleet_fixture::start_coordinator() {
  coordinator_.clear();
  coordinator_.emplace_back(
    std::vector<std::string>{program_path("forkfleet-coordinator"), "--fleet",
                             file()},
    log_of("coordinator"));
}

void fleet_fixture::start_node(const std::string& host,
                               const std::string& fault) {
  auto extra = std::map<std::string, std::string>{};
  if (!fault.empty())
    extra["FORKFLEET_FAULT"] = fault;
  // However the last one ended: what the coordinator still tells of it, until
  // it sees the connection break, is not taken for the next one's.
  if (nodes_.erase(host) > 0)
    note_life(host);
  auto words = std::vector<std::string>{program_path("forkfleet-node"),
                                        "--fleet",
                                        file(),
                                        "--host",
                                        host,
                                        "--leash",
                                        std::to_string(::getpid()),
                                        "--stop-sandboxes"};
  if (shape_.descriptors_max > 0)
    words.insert(words.begin(),
                 {"/bin/sh", "-c",
                  "ulimit -n " + std::to_string(shape_.descriptors_max)
                    + " && exec \"$@\"",
                  "sh"});
  nodes_.emplace(host, program_run{words, log_of(host), extra});
}

void fleet_fixture::note_life(const std::string& host) {
  std::ifstream{data_of(host) + "/incarnation"} >> killed_[host];
}

void fleet_fixture::kill_coordinator() {
  coordinator_.front().end(SIGKILL);
}

void fleet_fixture::kill_node(const std::string& host) {
  nodes_.at(host).end(SIGKILL);
  note_life(host);
}

bool fleet_fixture::is_back(const std::string& host) {
  const auto all =
    client_.ask<node_list>(nodes_request{}, std::chrono::seconds{5});
  if (!all)
    return false;
  return std::ranges::any_of(all->nodes, [&](const node_info& x) {
    return x.host.value == host && x.state == node_state::up
           && x.incarnation > killed_[host];
  });
}

uint64_t fleet_fixture::memory_of_coordinator() const {
  auto in = std::ifstream{"/proc/" + std::to_string(coordinator_.front().pid())
                          + "/statm"};
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  in >> total_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

bool fleet_fixture::is_ready() {
  const auto limit = std::chrono::seconds{5};
  const auto nodes = client_.ask<node_list>(nodes_request{}, limit);
  if (!nodes || nodes->nodes.size() != shape_.hosts.size())
    return false;
  for (const auto& node : nodes->nodes)
    if (node.state != node_state::up
        || node.incarnation <= killed_[node.host.value])
      return false;
  const auto boxes = client_.ask<sandbox_list>(sandboxes_request{}, limit);
  if (!boxes || boxes->sandboxes.size() < count_names(shape_.sandboxes))
    return false;
  for (const auto& box : boxes->sandboxes)
    if (box.state != sandbox_state::running)
      return false;
  return true;
}

expected<branch_report> fleet_fixture::branch(const branch_request& request) {
  return client_.ask<branch_report>(request, std::chrono::seconds{120});
}

expected<operation_status>
fleet_fixture::status_of(const std::string& operation) {
  return client_.ask<operation_status>(operation_query{{operation}},
                                       std::chrono::seconds{10});
}

sandbox_info fleet_fixture::sandbox(const std::string& id) {
  const auto list =
    client_.ask<sandbox_list>(sandboxes_request{}, std::chrono::seconds{10});
  if (list)
    for (const auto& box : list->sandboxes)
      if (box.id.value == id)
        return box;
  return {.state = sandbox_state::gone, .note = "not listed"};
}

std::vector<snapshot_info> fleet_fixture::snapshots() {
  auto list =
    client_.ask<snapshot_list>(snapshots_request{}, std::chrono::seconds{10});
  return list ? list->snapshots : std::vector<snapshot_info>{};
}

std::string fleet_fixture::data_of(const std::string& host) const {
  return (shape_.data_base.empty() ? scratch_.path() : shape_.data_base)
         + "/data-" + host;
}

std::string fleet_fixture::log_of(const std::string& program) const {
  return scratch_.path() + "/" + program + ".log";
}

std::vector<std::string>
fleet_fixture::names_in(const std::string& host,
                        const std::string& part) const {
  auto names = std::vector<std::string>{};
  auto error = std::error_code{};
  for (const auto& entry :
       fs::directory_iterator{data_of(host) + "/" + part, error})
    names.push_back(entry.path().filename().string());
  return names;
}

std::string simulated_sandbox(const std::string& name,
                              const std::string& host) {
  return "  - {name: " + name + ", host: " + host
         + ", driver: simulated, memory: 32MiB}\n";
}

std::string guest_sandbox(const std::string& name, const std::string& host,
                          const std::string& memory,
                          const std::string& append) {
  const char* own = std::getenv("FORKFLEET_GUEST");
  const auto guest = std::string{own != nullptr ? own : FORKFLEET_GUEST_BUILT};
  if (!fs::exists(guest + "/vmlinuz") || !fs::exists(guest + "/initrd.img"))
    return {};
  return "  - name: " + name + "\n    host: " + host + "\n    kernel: " + guest
         + "/vmlinuz\n    initrd: " + guest
         + "/initrd.img\n    memory: " + memory
         + "\n    debug_console: true\n    append: \"" + append + "\"\n";
}

std::string agent_sandbox(const std::string& name, const std::string& host,
                          bool has_agent) {
  auto text = guest_sandbox(name, host, "128MiB",
                            "ff.rate_mib=5 ff.set_mib=16 ff.idle=sleep");
  const auto at = text.find("/initrd.img");
  if (at == std::string::npos)
    return {};
  const auto begin = text.rfind(' ', at) + 1;
  const auto image = text.substr(begin, at - begin) + "/initrd-agent.img";
  if (!fs::exists(image))
    return {};
  if (has_agent)
    text.replace(begin, at - begin + std::string{"/initrd.img"}.size(), image);
  return text + "    guest_agent: true\n";
}

} // namespace forkfleet::test
