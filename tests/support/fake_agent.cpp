// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_agent.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <catch2/catch.hpp>

#include "actors/base64.hpp"
#include "node/qemu/qmp_client.hpp"
#include "node/qemu/unix_socket.hpp"

namespace forkfleet::test {

namespace {

using schema::json;

constexpr auto glance = std::chrono::milliseconds{20};

deadline_point after(std::chrono::milliseconds x) {
  return std::chrono::steady_clock::now() + x;
}

json refusal(const std::string& text) {
  return {{"error", {{"class", "GenericError"}, {"desc", text}}}};
}

json value(json x) {
  return {{"return", std::move(x)}};
}

std::string content_of(const std::string& path) {
  auto in = std::ifstream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

int64_t wall_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
           std::chrono::system_clock::now().time_since_epoch())
    .count();
}

void replace_all(std::string& text, const std::string& from,
                 const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

} // namespace

fake_agent::fake_agent() {
  auto listener = qemu::listen_unix(socket(), SOCK_STREAM);
  REQUIRE(listener);
  listener_ = std::move(*listener);
  std::filesystem::create_directory(home_.path() + "/run");
  thread_ = std::thread{[this] { serve(); }};
}

fake_agent::~fake_agent() {
  is_ending_ = true;
  thread_.join();
  for (auto& [pid, each] : processes_)
    if (!each.has_ended) {
      ::kill(each.pid, SIGKILL);
      ::waitpid(each.pid, nullptr, 0);
    }
  for (auto& [handle, each] : files_)
    std::fclose(each);
}

std::string fake_agent::here(const std::string& path) const {
  auto text = path;
  replace_all(text, "/run/forkfleet", home_.path() + "/run");
  return text;
}

void fake_agent::serve() {
  while (!is_ending_) {
    if (!qemu::wait_readable(listener_.get(), after(glance)))
      continue;
    const auto socket =
      unique_fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    ++connections;
    if (socket)
      serve_one(socket.get());
  }
}

void fake_agent::serve_one(int socket) {
  auto pending = std::string{};
  const bool is_deaf = deaf_connections > 0;
  if (is_deaf)
    --deaf_connections;
  static_cast<void>(
    qemu::send_text(socket, greeting, -1, after(std::chrono::seconds{5}))
      .has_value());
  auto room = std::array<char, 65536>{};
  while (!is_ending_) {
    if (!qemu::wait_readable(socket, after(glance)))
      continue;
    const auto got = qemu::receive(socket, room, after(glance));
    if (!got || got->bytes == 0)
      return;
    pending.append(room.data(), got->bytes);
    for (auto end = pending.find('\n'); end != std::string::npos;
         end = pending.find('\n')) {
      auto line = pending.substr(0, end);
      pending.erase(0, end + 1);
      line.erase(0, line.rfind('\xff') + 1);
      const auto command = schema::parse_json(line);
      if (is_mute || is_deaf || !command)
        continue;
      auto text = schema::dump(answer(*command)) + "\n";
      if (answers_left_ >= 0 && answers_left_-- == 0)
        return;
      if (qemu::text_member(*command, "execute") == "guest-sync-delimited")
        text.insert(0, 1, '\xff');
      static_cast<void>(
        qemu::send_text(socket, text, -1, after(std::chrono::seconds{5}))
          .has_value());
    }
  }
}

json fake_agent::answer(const json& command) {
  const auto name = qemu::text_member(command, "execute");
  const auto& arguments = qemu::member(command, "arguments");
  if (name == "guest-sync-delimited")
    return value(qemu::number_member(arguments, "id"));
  if (name == "guest-get-time")
    return value((wall_us() - clock_behind_us) * 1000);
  if (name == "guest-exec" && qemu::text_member(arguments, "path") == "date")
    return set_date(qemu::member(arguments, "arg").back().get<std::string>());
  if (name == "guest-exec")
    return start(arguments);
  if (name == "guest-exec-status")
    return look(arguments);
  return file(name, arguments);
}

json fake_agent::start(const json& arguments) {
  const auto number = next_++;
  const auto files = home_.path() + "/" + std::to_string(number);
  auto input =
    from_base64(qemu::text_member(arguments, "input-data")).value_or("");
  replace_all(input, "/run/forkfleet", home_.path() + "/run");
  std::ofstream{files + ".in", std::ios::binary} << input;
  auto words = std::vector<std::string>{qemu::text_member(arguments, "path")};
  for (const auto& word : qemu::member(arguments, "arg"))
    words.push_back(word.get<std::string>());
  const auto pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const auto open = [&files](const char* end, int flags, int as) {
      ::dup2(::open((files + end).c_str(), flags, 0600), as);
    };
    open(".in", O_RDONLY, STDIN_FILENO);
    open(".out", O_WRONLY | O_CREAT, STDOUT_FILENO);
    open(".err", O_WRONLY | O_CREAT, STDERR_FILENO);
    auto argv = std::vector<char*>{};
    for (auto& word : words)
      argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  processes_[number] = {.pid = pid, .files = files};
  return value({{"pid", number}});
}

// Ends at once, as what it set is what counts.
json fake_agent::set_date(const std::string& text) {
  std::this_thread::sleep_for(std::chrono::microseconds{date_delay_us});
  ++dates_set;
  const bool is_taken =
    date_takes_fractions || text.find('.') == std::string::npos;
  if (is_taken && !date_is_ignored)
    clock_behind_us =
      wall_us() - static_cast<int64_t>(std::stold(text.substr(1)) * 1e6L);
  const auto number = next_++;
  processes_[number] = {.files = home_.path() + "/none",
                        .has_ended = true,
                        .status = is_taken ? 0 : 1 << 8};
  return value({{"pid", number}});
}

json fake_agent::look(const json& arguments) {
  const auto found = processes_.find(qemu::number_member(arguments, "pid"));
  if (found == processes_.end())
    return refusal("PID does not exist");
  auto& each = found->second;
  if (!each.has_ended)
    each.has_ended = ::waitpid(each.pid, &each.status, WNOHANG) == each.pid;
  if (!each.has_ended)
    return value({{"exited", false}});
  return value({{"exited", true},
                {"exitcode", WEXITSTATUS(each.status)},
                {"out-data", to_base64(content_of(each.files + ".out"))},
                {"err-data", to_base64(content_of(each.files + ".err"))}});
}

json fake_agent::file(const std::string& name, const json& arguments) {
  if (name == "guest-file-open") {
    const auto path = qemu::text_member(arguments, "path");
    auto* opened = std::fopen(here(path).c_str(),
                              qemu::text_member(arguments, "mode").c_str());
    if (opened == nullptr)
      return refusal("failed to open file '" + path
                     + "': " + std::strerror(errno));
    files_[next_] = opened;
    return value(next_++);
  }
  const auto found = files_.find(qemu::number_member(arguments, "handle"));
  if (found == files_.end())
    return refusal("handle does not exist: " + name);
  auto* each = found->second;
  if (name == "guest-file-close") {
    std::fclose(each);
    files_.erase(found);
    return value(json::object());
  }
  if (name == "guest-file-seek") {
    std::fseek(each,
               static_cast<long>(qemu::number_member(arguments, "offset")),
               SEEK_SET);
    return value({{"position", std::ftell(each)}, {"eof", false}});
  }
  if (name == "guest-file-write") {
    const auto bytes =
      from_base64(qemu::text_member(arguments, "buf-b64")).value_or("");
    return value({{"count", std::fwrite(bytes.data(), 1, bytes.size(), each)},
                  {"eof", false}});
  }
  auto bytes = std::string(qemu::number_member(arguments, "count"), '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), each));
  return value({{"count", bytes.size()},
                {"buf-b64", to_base64(bytes)},
                {"eof", std::feof(each) != 0}});
}

} // namespace forkfleet::test
