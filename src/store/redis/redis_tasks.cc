// What waits for the server: tasks, requests, cursors.
#include <algorithm>
#include <utility>

#include "src/base/status.h"
#include "src/store/redis/redis_core.h"

namespace mimi::internal {

void RedisCore::WhenReady(Task task) {
  tasks_.push_back({loop_.now() + patience(), std::move(task)});
  ArmDeadline();
  loop_.Post([this, alive = alive_] {
    if (*alive) {
      RunTasks();
    }
  });
}

// All of them, if they can run or never will.
void RedisCore::RunTasks() {
  const absl::Status why = problem();
  if (!ready_ && (why.ok() || absl::IsUnavailable(why))) {
    return;
  }
  auto tasks = std::exchange(tasks_, {});
  for (const Waiting& waiting : tasks) {
    waiting.task(ready_ ? absl::OkStatus() : why);
  }
}

void RedisCore::ArmDeadline() {
  if (deadline_ != 0 || tasks_.empty()) {
    return;
  }
  deadline_ = loop_.At(tasks_.front().deadline, [this] {
    deadline_ = 0;
    std::vector<Task> late;
    while (!tasks_.empty() && tasks_.front().deadline <= loop_.now()) {
      if (link_.up()) {  // a large load
        tasks_.front().deadline = loop_.now() + patience();
        break;
      }
      late.push_back(std::move(tasks_.front().task));
      tasks_.pop_front();
    }
    const absl::Status why =
        problem().ok() ? Error(absl::StatusCode::kUnavailable, "no answer in time") : problem();
    for (const Task& task : late) {
      task(why);
    }
    ArmDeadline();
  });
}

void RedisCore::Ask(Script script, const std::vector<std::string>& keys,
                    const std::vector<std::string>& arguments, Answer done) {
  if (!ready_) {
    done(problem(), RedisValue());
    return;
  }
  const std::vector<std::string_view> key_views(keys.begin(), keys.end());
  const std::vector<std::string_view> argument_views(arguments.begin(), arguments.end());
  link_.Run(script, key_views, argument_views, Asked(std::move(done)));
}

void RedisCore::Ask(const std::vector<std::string>& command, Answer done, Duration patience) {
  if (!ready_) {
    done(problem(), RedisValue());
    return;
  }
  const std::vector<std::string_view> views(command.begin(), command.end());
  link_.Send(views, Asked(std::move(done)), patience);
}

// Keeps `done` where OnDown finds it.
RedisLink::Answer RedisCore::Asked(Answer done) {
  const std::uint64_t id = next_asked_++;
  asked_.emplace(id, std::move(done));
  return [this, id](RedisValue answer) {
    if (answer[0].text() == "gone") {
      link_.Fail("replaced", "another repository stands in its place");
      return;
    }
    if (auto asked = asked_.extract(id); !asked.empty()) {
      asked.mapped()(absl::OkStatus(), answer);
    }
  };
}

void RedisCore::WhenSynced(Task task) {
  WhenReady([this, task = std::move(task)](const absl::Status& ready) {
    if (!ready.ok()) {
      task(ready);
      return;
    }
    Ask({"HGET", keys_.pair, "head"}, [this, task](const absl::Status& status, RedisValue head) {
      if (!status.ok()) {
        task(status);
        return;
      }
      synced_.push_back({head.number(), task});
      ReadSynced();
    });
  });
}

void RedisCore::ReadSynced() {
  if (synced_.empty()) {
    return;
  }
  const auto waits = std::partition(synced_.begin(), synced_.end(), [this](const Synced& each) {
    return each.position > position_;
  });
  const std::vector<Synced> done(std::make_move_iterator(waits),
                                 std::make_move_iterator(synced_.end()));
  synced_.erase(waits, synced_.end());
  for (const Synced& each : done) {
    each.task(absl::OkStatus());
  }
}

void RedisCore::WakeAtNext(const std::shared_ptr<Waiter>& waiter) {
  if (!std::exchange(waiter->armed, true)) {
    waiters_.push_back(waiter);
  }
}

void RedisCore::PostWake(const std::shared_ptr<Waiter>& waiter) {
  waiter->armed = false;
  loop_.Post([weak = std::weak_ptr<Waiter>(waiter)] {
    if (const std::shared_ptr<Waiter> alive = weak.lock()) {
      alive->wake();
    }
  });
}

void RedisCore::WakeAll() {
  for (const std::weak_ptr<Waiter>& weak : std::exchange(waiters_, {})) {
    if (const std::shared_ptr<Waiter> waiter = weak.lock(); waiter != nullptr && waiter->armed) {
      PostWake(waiter);
    }
  }
}

}  // namespace mimi::internal
