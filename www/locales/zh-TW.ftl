# 頁面用語。物件種類、狀態、欄位與指令維持原文。

## Page
tagline = 讓 Kubernetes、Docker Swarm 與 Compose 在同一批機器上，承受同樣的故障。
skip-editor = 跳到編輯器
skip-cluster = 跳到機器
skip-timeline = 跳到時間軸
skip-console = 跳到主控台
engine-starting = 引擎啟動中。
engine-ready = 引擎已就緒。
engine-failed = 引擎已停止：{ $reason }
worker-missing = 這個頁面建置時缺少背景程式。
nav-panels = 面板
panel-edit = 編輯
panel-watch = 觀看
panel-time = 原因
panel-console = 主控台

## Top bar
example = 範例
example-poll = 投票
example-blank = 空白
example-own = 你的檔案
language = 語言
theme = 配色
theme-auto = 自動
theme-light = 淺色
theme-dark = 深色
help = 說明
experiment = 實驗設定…
restored = 已還原上次的工作。
restored-discard = 重新開始
dismiss = 關閉

## Editor
editor = 檔案
editor-label = { $file } 的內容
editor-hint = 點選或輸入之前，Tab 會離開編輯器；先按 Escape 再按 Tab 一定會離開。
file-add = 加入檔案
file-close = 關閉 { $file }
last-valid = 沿用上一份有效的檔案
applied = 已套用
problems = 問題
problems-none = 沒有問題。
problems-count = { $count } 個問題
problem-place = { $file }，第 { $line } 行第 { $column } 欄
problem-fault = 實驗的故障清單，第 { $line } 行，第 { $column } 欄
problem-fix = 修正
not-modelled = 已接受並保留，但未模擬
drop-here = 把檔案拖放到這裡

## Planes
machines = 機器
plane-kubernetes = Kubernetes
plane-swarm = Docker Swarm
plane-compose = Compose
plane-kubernetes-kind = 宣告式
plane-swarm-kind = 命令式前端
plane-compose-kind = 單一主機
plane-empty = 這個編排器沒有輸入檔。
converged = 已收斂
working = 處理中
node-word = 節點
host-word = 主機
machine-lost = 失聯
machine-powered = 供電中
machine-units = { $machine }：{ $state }，{ $count } 個單元
control-plane = 控制平面
manager = 管理節點
requested = 已要求：CPU { $cpu } %，記憶體 { $memory } %
cpu = CPU
memory = 記憶體
unplaced = 尚未分配機器
kill = 斷電
kill-machine = 讓 { $machine } 在所有編排器上斷電
heal = 復原
heal-machine = 復原 { $machine }
unit-label = { $name }：{ $state }
service-summary = { $name }：{ $desired } 個中 { $ready } 個就緒，{ $serving } 個服務中
serving-now = 目前回應 { $percent }
availability = 開始至今 { $percent }
nobody-asks = 無人請求
ready-of = { $ready }/{ $desired } 就緒
grid-help = 方向鍵在機器與單元間移動；Delete 使其故障。

## States
state-ready = 就緒
state-progressing = 進行中
state-pending = 等待中
state-terminating = 終止中
state-failed = 失敗
state-unknown = 失聯
state-completed = 已完成
legend = 狀態

## Charts
charts = 圖表
chart-service = 服務
chart-title = { $plane } 上的 { $service }：副本數與獲得回應的請求隨時間變化
chart-desired = 期望
chart-ready = 就緒
chart-answered = 回應
chart-none = 這裡沒有這個服務。
chart-now = { $plane }：期望 { $desired }，就緒 { $ready }，回應 { $answered }

## Timeline
timeline = 時間軸
play = 播放
pause = 暫停
step-back = 上一個事件
step-forward = 下一個事件
to-start = 回到開頭
to-end = 到最新時間
fork = 在此分岔
branch = 分支
speed = 速度
time = 時間
time-text = { $time }，{ $events }
no-faults = 尚無故障
speed-times = { $speed }×
seeking = 前往中…

## Faults
faults = 故障
fault-kill = 機器斷電
fault-target = 機器
fault-heal-all = 全部復原
fault-detected = { $span } 後察覺
fault-not-detected = 尚未察覺
fault-recovered = { $span } 後恢復原有服務
fault-not-recovered = 尚未恢復原有服務
fault-not-applicable = 這裡沒有這個對象
fault-scheduled = 於 { $time }
fault-list-empty = 尚無故障。
machine-lost-said = { $machine } 失聯。
machine-back-said = { $machine } 恢復供電。
ready-said = { $plane }：{ $desired } 個中 { $ready } 個就緒。

## Events and causes
events = 事件
events-empty = 尚未發生任何事。
why = 為什麼？
why-hint = 選擇一個事件、pod、task 或容器，看它因何而起。
why-none = 沒有相關紀錄。
why-wait = { $span } 之後
why-rule = 起因於 { $rule }
close = 關閉

## Console
console = 主控台
console-label = 主控台指令
console-hint = kubectl、docker、host 與 sim 指令，例如：kubectl get pods
console-run = 執行
console-empty = 尚未執行任何指令。
exit-code = 結束代碼 { $code }

## Experiment dialog
experiment-title = 實驗設定
experiment-files = 這台電腦上的檔案
experiment-folder = 整個資料夾
experiment-paste = 或貼上文字
experiment-paste-hint = 多個檔案：每個檔案以一行「# file: 檔名」開頭。
experiment-nodes = 工作機器數
experiment-seed = 種子
experiment-faults = 故障，一行一個
experiment-faults-hint = 例如：node-crash of:poll at 60s for 2m
experiment-length = 長度（秒）
experiment-start = 重新開始實驗
experiment-add = 加入現有檔案
cancel = 取消
download = 下載檔案

## Help
help-title = 按鍵
help-letters = 單一字母按鍵在文字欄位以外有效。
help-keys-on = 單一字母按鍵
help-space = 播放或暫停
help-arrows = 上一個、下一個事件；加 Shift 為 10 秒
help-home = 開頭、最新時間
help-brackets = 上一個、下一個故障
help-fork = 在此分岔
help-speed = 減速、加速
help-kill = 讓選取的機器斷電；h 復原
help-delete = 讓焦點所在的機器、pod、task 或容器故障
help-panels = 編輯器、機器、時間軸、主控台
help-apply = 立即檢查並套用
help-why = 說明焦點所在單元的由來
help-question = 本說明

## Share
share = 分享
share-title = 分享與帶走
share-link = 此刻的連結
share-length = { $count ->
   *[other] { $count } 個字元。
}
share-long = 有些程式會截斷這麼長的連結。
share-too-long = 實驗太大，放不進連結：請改為帶走情境檔案。
share-command = 在命令列做同樣的事
share-command-hint = 在放有這些檔案的資料夾中執行。
copy = 複製
export = 帶走
export-svg = 圖表（SVG）
export-png = 圖表（PNG）
export-gif = 圖表存成 GIF
export-csv = 數據（CSV）
export-scenario = 情境（Markdown）
link-too-long = 這個連結超過 Podium 連結的長度上限。你的內容沒有變動。
link-version = 這個連結由較新的 Podium 產生。你的內容沒有變動。
link-damaged = 這個連結已損壞，無法讀取。你的內容沒有變動。
link-example = 這個連結以另一版的範例產生。你的內容沒有變動。
unkept = 瀏覽器無法保存這次的內容：內容太大，或儲存空間已滿或被封鎖。請下載檔案以保存。
crash = 引擎停止後已重新啟動。你的檔案維持原樣。
crash-link = 可重現問題的連結
embed-open = 在 Podium 開啟
open = 開啟

## Gallery
gallery = 範例集
gallery-hint = 每一個都是測試會執行的情境。開啟後停在開頭：先播放，再動手改。
gallery-open = 開啟：{ $title }
gallery-try = 試試看：{ $what }
ask-affinity = Pod 互相排斥同一個節點時，能放下幾個副本？
try-affinity = 把規則改成偏好，再擴增一次。
ask-autoscaler = 自動擴縮為什麼放手比抓緊慢得多？
try-autoscaler = 用 sim metric set 改變指標，看五分鐘後的副本數。
ask-compose-config-change = 一個變數改了，Compose 會換掉哪些容器？
try-compose-config-change = 不做任何修改，再執行一次 docker compose up。
ask-compose-crash-on-failure = restart: on-failure 什麼時候放棄？
try-compose-crash-on-failure = 提高次數，再讓命令以 0 結束。
ask-compose-one-shot = 資料遷移失敗後，還有什麼會啟動？
try-compose-one-shot = 在主控台用 CODE=2 讓它失敗，再對等待的服務問「為什麼？」。
ask-compose-refusals = 哪些錯誤會讓 Compose 在動手之前就拒絕？
try-compose-refusals = 在主控台修好其中一個檔案，再啟動。
ask-compose-scale-port = 兩個容器搶一個主機連接埠，第二個會怎樣？
try-compose-scale-port = 拿掉主機連接埠，再擴增一次。
ask-compose-unhealthy-stays = 容器自己說不健康，誰會重啟它？
try-compose-unhealthy-stays = 把同一個檔案當成 stack 執行：Swarm 會依標籤行動。
ask-crash-loop = 一直當掉的 Pod 為什麼回來得越來越慢？
try-crash-loop = 在「為什麼？」裡讀每次重啟背後的規則。
ask-cronjob-forbid = 工作比排程間隔還久，Forbid 會怎麼做？
try-cronjob-forbid = 把政策改成 Allow，再改成 Replace。
ask-daemonset-new-node = 新機器加入，誰會發現它缺一個代理程式？
try-daemonset-new-node = 用 sim node add 再加一台，然後替它加上污點。
ask-docker-host-crash = 主機重新開機，哪些容器會自己回來？
try-docker-host-crash = 播放之前，先依重啟政策猜每一個的結果。
ask-job-backoff = Job 試幾次才放棄？
try-job-backoff = 修改 backoffLimit，看看每次等多久。
ask-memory-pressure = 機器記憶體不足，哪個 Pod 得離開？
try-memory-pressure = 提高貪心 Pod 的請求量，看換成誰被驅逐。
ask-noisy-neighbour = 從不休眠的執行緒搬到隔壁，什麼能保護你？
try-noisy-neighbour = 比較配額、權重與虛擬機之下的 sim usage。
ask-preemption = 叢集已滿，來了緊急的 Pod，誰必須讓位？
try-preemption = 降低它的優先級，看它等待。
ask-probe-kill = 哪種探針會殺掉容器，哪種會攔住它？
try-probe-kill = 修改 failureThreshold，再數一次。
ask-stateful-lost-node = 機器失聯時，StatefulSet 為什麼不補上 Pod？
try-stateful-lost-node = 改為強制刪除 Pod，並想想真正的磁碟上會留下什麼。
ask-stuck-volume = Pod 在等一個沒有人建立的儲存卷，怎麼看出來？
try-stuck-volume = 讀 Pod 的訊息，再套用儲存卷。
ask-zone-spread = 六個副本分散在三個區域，如果一個區域滿了呢？
try-zone-spread = 把允許的偏差改成二，再擴增一次。
ask-apiserver-down = API server 停了，什麼還會繼續？
try-apiserver-down = 停機期間讓一台機器斷電，看誰在什麼時候發現。
ask-autoscaler-traffic = 流量變大，自動擴縮怎麼算出副本數？
try-autoscaler-traffic = 再提高 sim traffic，數數每十五秒一步。
ask-controller-restart = 滾動更新途中控制器管理員死了，誰接手？
try-controller-restart = 在「為什麼？」裡讀已死程序的租約撐了多久。
ask-drain-budget = 排空兩台機器，第二台為什麼要等？
try-drain-budget = 允許兩次中斷，再排空一次。
ask-etcd-quorum = 三個 etcd 成員，能失去幾個？
try-etcd-quorum = 復原一台，看哪個請求先成功。
ask-job-indexed = 刪掉索引式 Job 的一部分，什麼會做兩次？
try-job-indexed = 刪掉另一個索引的 Pod。
ask-kubelet-restart = kubelet 離開一分鐘，容器會察覺嗎？
try-kubelet-restart = 改成離開六分鐘。
ask-node-drain = 是什麼讓排空一次只走一個 Pod？
try-node-drain = 放寬預算，再排空一次。
ask-rollout-stuck-undo = 滾動更新卡住了，誰會退回去？
try-rollout-stuck-undo = 不要復原，再等十分鐘。
ask-runtime-kill = 容器執行階段沒有回應，什麼還在跑？
try-runtime-kill = 這時刪掉一個 Pod，看它什麼時候回來。
ask-scheduler-down = 沒有排程器在跑，新的 Pod 會怎樣？
try-scheduler-down = 停機時擴增一個服務。
ask-stateful-partition = StatefulSet 的金絲雀怎麼只留在一個 Pod？
try-stateful-partition = 把 partition 設成 1，再設成 0。
ask-swarm-autolock = 上鎖的管理節點重啟後還知道什麼？
try-swarm-autolock = 先輸入錯的金鑰。
ask-swarm-constraint = 標籤拿掉了，需要它的任務會怎樣？
try-swarm-constraint = 把標籤加到另一個節點。
ask-swarm-drain = 排空節點時，任務為什麼不用等平常的延遲？
try-swarm-drain = 改成讓節點斷電，比較看看。
ask-swarm-force-new-cluster = 三個管理節點有兩個回不來，還剩什麼？
try-swarm-force-new-cluster = 只留一個管理節點，再失去它。
ask-swarm-global-new-node = 全域服務的任務會放到哪些節點？
try-swarm-global-new-node = 先暫停一個節點，再排空它。
ask-swarm-job = Swarm 工作一次跑幾個，失敗了呢？
try-swarm-job = 讓每一個都失敗一次。
ask-swarm-quorum-loss = Swarm 失去法定人數，誰來修？
try-swarm-quorum-loss = 在多數回來之前刪掉一個任務。
ask-swarm-resources = Swarm 算的是保留量還是使用量？
try-swarm-resources = 把保留量拿掉。
ask-swarm-restart-window = Swarm 什麼時候不再重啟任務？
try-swarm-restart-window = 把時間窗放寬。
ask-swarm-rollback = 更新失敗，Swarm 怎麼自己退回去？
try-swarm-rollback = 提高失敗比例，再更新一次。
ask-zone-outage = 整個區域失聯，Pod 為什麼一次只搬一台機器？
try-zone-outage = 讓第二個區域也失聯。
ask-compose-order = 互相依賴的服務，Compose 依什麼順序啟動？
try-compose-order = 對最後啟動的容器開啟「為什麼？」，再讓它等待的容器故障。
ask-image-typo = 映像檔名稱打錯，服務會中斷嗎？
try-image-typo = 新的 pod 等待時，在圖表比較就緒與回應。
ask-node-loss-compose = 唯一的主機壞了，誰把容器帶回來？
try-node-loss-compose = 復原機器，看哪種重啟策略帶回了什麼。
ask-node-loss-kubernetes = 機器壞了，Kubernetes 多久才補上 pod？
try-node-loss-kubernetes = 用 ] 逐一跳到故障，在「為什麼？」讀每段等待背後的規則。
ask-node-loss-swarm = 機器壞了，為什麼 Swarm 快得多，之後又少做了什麼？
try-node-loss-swarm = 復原機器：task 會回去嗎？
ask-node-reboot = 機器重新開機，pod 會搬走嗎？
try-node-reboot = 改成斷電，比較看看。
ask-partition = 機器被隔開但仍在運作，控制平面相信什麼？
try-partition = 看分割兩側的就緒與回應。
ask-pod-kill = pod 被終止，多快會有新的？
try-pod-kill = 用 Delete 同時終止兩個 pod。
ask-port-taken = 兩個服務要同一個連接埠，誰得到它？
try-port-taken = 改掉其中一個連接埠，在主控台套用。
ask-rollout = 滾動更新的速度受什麼限制？
try-rollout = 更新到一半時弄壞新的映像檔。

## Inspector
inspect = 檢視
inspector = 檢視
anatomy = 組成
anatomy-place = 位於 { $machine }，核心 { $kernel }
anatomy-groups = 控制群組
anatomy-spaces = 命名空間（= 表示與機器共用）
anatomy-processes = 行程
anatomy-mounts = 掛載與映像層
anatomy-interfaces = 網路介面與路由
anatomy-rules = 封包過濾規則
inspector-none = 工具對此沒有資料。
console-words = 可用的字詞
console-tab = Tab 採用第一個建議；Escape 關閉建議。
fault-reboot = 重新開機
fault-partition = 隔離
fault-registry = 映像檔倉庫停擺
help-break = 讓機器重新開機、隔離機器、映像檔倉庫停擺
help-inspect = 檢視焦點所在的物件
help-present = 簡報模式
help-share = 分享

## 檢視
views = 檢視
view-machines = 機器
view-services = 服務
view-loops = 控制迴圈
services-none = 這裡沒有部署任何東西。
slot = 第 { $number } 個槽位
slot-global = 在 { $machine }
on-machine = 在 { $machine }
nowhere = 還沒有機器
dependencies = Compose 裡誰等誰
graph-label = { $title }，{ $time }。{ $text }
loops-hint = 每個迴圈看到變化就醒來，比較「想要的」與「現有的」，然後做一件小事。
loop-wants = 想要
loop-saw = 看到
loop-did = 做了
loop-saw-nothing = 自己的計時器，或有人寫下的內容。
loop-count = { $count ->
   *[other] 行動 { $count } 次
}
loop-apiserver = 檢查並保存人與迴圈寫下的內容，通知所有監看者
loop-deployment = 每個範本一個 ReplicaSet，依更新策略的步調增減
loop-replicaset = Pod 數量正好等於 replicas
loop-statefulset = 有名字、有儲存宣告的 Pod，一個接一個
loop-daemonset = 每台合適的機器一個 Pod
loop-job = 完成 Job 要求的次數，失敗後等得更久
loop-cronjob = 排程的每個時間點一個 Job
loop-scheduler = 替沒有機器的 Pod 找到合適機器中最好的一台
loop-kubelet = 讓這台機器的容器符合 Pod 的內容，並回報看到的狀態
loop-endpointslice = 每個 Service 就緒位址的清單
loop-proxy = 讓這台機器的規則把流量送往清單上的位址
loop-node-lifecycle = 知道哪些機器有消息，沒有消息的就加上污點
loop-taint-eviction = 不再容忍污點的 Pod 離開那台機器
loop-other = 讓自己的物件符合要求
loop-control-api = 檢查人寫下的內容並存入資料庫，除此之外不做任何事
loop-orchestrator = 每個服務的每個槽位都有一個任務
loop-swarm-scheduler = 替每個任務選節點：該服務任務最少的那台
loop-dispatcher = 及時收到每個節點的心跳，並把任務交給它
loop-agent = 讓節點的容器符合任務的內容，並回報狀態
loop-restart = 任務結束後，等過延遲，在同一槽位放上新任務
loop-updater = 一次幾個，把槽位換成新版本；失敗太多就停下
loop-client = 依順序建立並啟動容器一次，然後結束，之後沒有人看著
loop-engine = 依每個容器自己的重啟政策照顧它，只限這台機器
cause-graph = 因果圖
cause-graph-hint = 走到這裡的路徑有標記，旁邊是每個事件的其他結果。選一個方塊繼續追。

## 分支
compare = 比較
compare-title = 兩個分支的比較
compare-branch = 分支 { $number }
compare-end = 到 { $time }
compare-same = 兩個分支的結果相同。
compare-different = { $count ->
   *[other] 有 { $count } 項數字不同。
}
compare-figure = 項目
compare-noticed = { $plane }：{ $fault } 多久後察覺
compare-recovered = { $plane }：{ $fault } 多久後恢復服務
compare-availability = { $plane }：{ $service } 從開始至今的回應率
compare-ready = { $plane }：{ $service } 就緒
never = 從未
chart-ghost = 分支之前的樣子
bookmark = 書籤
bookmark-remove = 移除 { $time } 的書籤
bookmarks = 書籤
loop-range = 循環
loop-clear = 結束循環
loop-from = 從 { $from } 到 { $to } 循環
help-bookmark = 替此刻加書籤；加 Shift 設定循環的起點，再設終點
help-palette = 所有指令
fault-at = 在第幾秒
fault-at-now = 現在
fault-drag = 拖到機器或時間軸上
palette = 指令
palette-hint = 輸入以搜尋；Enter 執行第一項。
palette-none = 沒有符合的項目。
picture = 每個副本的經過：{ $rows }
help-undo = 復原上一個動作（在編輯器裡則是上一次文字修改）
dense-summary = { $plane }：{ $machines } 台機器，{ $lost } 台失聯；{ $states }
dense-hint = 每一格是一台機器，顏色是上面最糟的狀態。用指標選，或輸入名稱。
dense-machine = 依名稱選機器
dense-lost = 失聯的機器
