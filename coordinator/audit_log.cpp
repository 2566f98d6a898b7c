// SPDX-License-Identifier: Apache-2.0
#include "coordinator/audit_log.hpp"

#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <fcntl.h>
#include <mutex>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "actors/log.hpp"
#include "actors/schema/json.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t text_max = 512;
constexpr mode_t file_mode = 0600;

status write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return tl::unexpected(errno_failure(errno, "write the audit log"));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::string line_of(const audit_record& x) {
  return schema::dump(schema::to_json(x)) + '\n';
}

} // namespace

class audit_log::impl {
public:
  impl(std::string path, const audit_limits& limits)
    : path_(std::move(path)), limits_(limits) {
    // nop
  }

  ~impl() {
    {
      const auto lock = std::lock_guard{mutex_};
      is_over_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable())
      thread_.join();
  }

  status begin() {
    if (auto opened = open_file(); !opened)
      return opened;
    thread_ = std::thread{[this] { run(); }};
    return {};
  }

  void put(audit_record x) {
    {
      const auto lock = std::lock_guard{mutex_};
      if (waiting_.size() >= limits_.waiting_max)
        ++dropped_;
      else
        waiting_.push_back(std::move(x));
    }
    wake_.notify_all();
  }

private:
  void run() {
    auto lock = std::unique_lock{mutex_};
    for (;;) {
      wake_.wait(lock, [this] { return is_over_ || !waiting_.empty(); });
      const auto is_last = is_over_;
      auto batch = std::exchange(waiting_, {});
      const auto dropped = std::exchange(dropped_, 0);
      lock.unlock();
      write_batch(batch, dropped);
      lock.lock();
      if (is_last && waiting_.empty())
        return;
    }
  }

  void write_batch(const std::deque<audit_record>& batch, uint64_t dropped) {
    auto text = std::string{};
    for (const auto& x : batch)
      text += line_of(x);
    if (dropped + lost_ > 0 && !batch.empty())
      text += line_of(
        {.at = batch.back().at, .event = "dropped", .count = dropped + lost_});
    if (text.empty())
      return;
    auto kept = rotate(text.size());
    if (kept)
      kept = write_all(file_.get(), text);
    if (kept && ::fdatasync(file_.get()) != 0)
      kept = tl::unexpected(errno_failure(errno, "sync " + path_));
    if (kept) {
      size_ += text.size();
      lost_ = 0;
      return;
    }
    // Who works is not stopped by a full disk; that lines are missing is
    // told here, and in the file once it can be written again.
    lost_ += batch.size() + dropped;
    log::error("audit.failed", {{"reason", kept.error()}, {"lost", lost_}});
    static_cast<void>(open_file());
  }

  std::string name_of(std::size_t number) const {
    return number == 0 ? path_ : path_ + '.' + std::to_string(number);
  }

  status rotate(std::size_t more) {
    if (size_ == 0 || size_ + more <= limits_.file_bytes_max)
      return {};
    for (auto i = limits_.files_max - 1; i > 0; --i)
      if (std::rename(name_of(i - 1).c_str(), name_of(i).c_str()) != 0
          && errno != ENOENT)
        return tl::unexpected(errno_failure(errno, "rename " + name_of(i - 1)));
    return open_file();
  }

  status open_file() {
    file_.reset(::open(path_.c_str(),
                       O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                       file_mode));
    struct stat about = {};
    if (!file_ || ::fchmod(file_.get(), file_mode) != 0
        || ::fstat(file_.get(), &about) != 0)
      return tl::unexpected(errno_failure(errno, path_));
    size_ = static_cast<uint64_t>(about.st_size);
    auto last = '\n';
    if (about.st_size > 0
        && ::pread(file_.get(), &last, 1, about.st_size - 1) != 1)
      return tl::unexpected(errno_failure(errno, path_));
    return last == '\n' ? status{} : write_all(file_.get(), "\n");
  }

  const std::string path_;
  const audit_limits limits_;
  unique_fd file_;
  uint64_t size_ = 0;
  uint64_t lost_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<audit_record> waiting_;
  uint64_t dropped_ = 0;
  bool is_over_ = false;
  std::thread thread_;
};

audit_log::audit_log(std::unique_ptr<impl> made) : impl_(std::move(made)) {
  // nop
}

audit_log::~audit_log() = default;

expected<std::unique_ptr<audit_log>>
audit_log::open(const std::string& path, const audit_limits& limits) {
  auto made = std::make_unique<impl>(path, limits);
  if (auto begun = made->begin(); !begun)
    return tl::unexpected(begun.error());
  return std::unique_ptr<audit_log>{new audit_log(std::move(made))};
}

void audit_log::write(audit_record line) {
  line.subject = audit_text(std::move(line.subject));
  line.operation = audit_text(std::move(line.operation));
  line.target = audit_text(std::move(line.target));
  line.outcome.message = audit_text(std::move(line.outcome.message));
  impl_->put(std::move(line));
}

std::string audit_text(std::string text) {
  if (text.size() <= text_max)
    return text;
  text.resize(text_max);
  // Not in the middle of a character.
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80) != 0)
    text.pop_back();
  return text + "...";
}

} // namespace forkfleet
