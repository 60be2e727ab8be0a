(* Functions of time that are linear between events (Upper.v), and the least of one. *)

From Coq Require Import ZArith List Lia Bool.
From Kvopt Require Import Model Sums Upper.
Import ListNotations.
Open Scope Z_scope.

(* The least of c + k t and what the events add, over all t >= last, and of what is found. *)
Definition least_found (found : option Z) (v : Z) : Z := match found with Some u => Z.min u v | None => v end.
Fixpoint scan_least_from (last c k : Z) (l : list event) (found : option Z) : option Z :=
  match l with
  | [] => if 0 <=? k then Some (least_found found (c + k * last)) else None
  | e :: rest =>
      if time e <? last then None
      else if time e =? last then scan_least_from last (c + constant e) (k + number e) rest found
      else scan_least_from (time e) (c + constant e) (k + number e) rest
        (Some (least_found found (Z.min (c + k * last) (c + k * (time e - 1)))))
  end.
Definition scan_least (last c k : Z) (l : list event) : option Z := scan_least_from last c k l None.

(* What the events up to time t add. *)
Definition changed_by (l : list event) (t : Z) : Z :=
  total (fun e => if time e <=? t then constant e + number e * t else 0) l.

Lemma least_found_le found v : least_found found v <= v /\ forall u, found = Some u -> least_found found v <= u.
Proof. destruct found as [u|]; cbn [least_found]; (split; [lia|]); intros u' E; inversion E; lia. Qed.

Lemma scan_least_from_spec l : forall last c k found v, scan_least_from last c k l found = Some v ->
  (forall u, found = Some u -> v <= u) /\
  (forall e, In e l -> last <= time e) /\ forall t, last <= t -> v <= c + k * t + changed_by l t.
Proof.
  induction l as [|e l IH]; intros last c k found v H; cbn [scan_least_from] in H.
  - destruct (Z.leb_spec 0 k); [|discriminate]. injection H as <-.
    destruct (least_found_le found (c + k * last)) as [Hleast Hfound]. split; [exact Hfound|].
    split; [intros e []|]. intros t Ht. unfold changed_by. cbn [total]. nia.
  - destruct (Z.ltb_spec (time e) last) as [|Hge]; [discriminate|].
    destruct (Z.eqb_spec (time e) last) as [Heq|Hne].
    + destruct (IH _ _ _ _ _ H) as (H0 & H1 & H2). split; [exact H0|]. split.
      * intros e' [<-|He']; [lia|apply H1, He'].
      * intros t Ht. specialize (H2 t Ht). unfold changed_by. cbn [total]. fold (changed_by l t).
        destruct (Z.leb_spec (time e) t); lia.
    + destruct (IH _ _ _ _ _ H) as (H0 & H1 & H2). specialize (H0 _ eq_refl).
      destruct (least_found_le found (Z.min (c + k * last) (c + k * (time e - 1)))) as [Hv Hfound].
      split; [intros u Hu; specialize (Hfound u Hu); lia|]. split.
      * intros e' [<-|He']; [lia|]. specialize (H1 e' He'). lia.
      * intros t Ht. unfold changed_by. cbn [total]. fold (changed_by l t).
        destruct (Z.leb_spec (time e) t) as [Hle|Hlt].
        -- specialize (H2 t Hle). lia.
        -- assert (E0 : changed_by l t = 0).
           { unfold changed_by. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
             intros e' He'. specialize (H1 e' He'). destruct (Z.leb_spec (time e') t); lia. }
           rewrite E0. destruct (Z.le_gt_cases 0 k); nia.
Qed.

Lemma scan_least_spec l last c k v : scan_least last c k l = Some v ->
  (forall e, In e l -> last <= time e) /\ forall t, last <= t -> v <= c + k * t + changed_by l t.
Proof. intros H. apply (scan_least_from_spec l last c k None v H). Qed.

Lemma changed_by_app l l' t : changed_by (l ++ l') t = changed_by l t + changed_by l' t.
Proof. apply total_app. Qed.
