"""Writes model/fit/optim/testdata/torch.json: what PyTorch's optimisers and schedules do.

Run from the root of the repository, with a Python that has torch: python test/goldens/make_fit_optim.py
"""
import json

import torch
torch.manual_seed(0)
P0=torch.randn(3,4); G=[torch.randn(3,4) for _ in range(6)]
out={"param":P0.flatten().tolist(),"grads":[g.flatten().tolist() for g in G],"optimizers":[],"schedules":[]}
import torch.optim as O
for name,cls,kw,cfg in [
 ("sgd",O.SGD,dict(lr=.1),dict(lr=.1)),
 ("sgd",O.SGD,dict(lr=.1,momentum=.9,dampening=.2,weight_decay=.05),None),
 ("sgd",O.SGD,dict(lr=.1,momentum=.9,nesterov=True),None),
 ("adam",O.Adam,dict(),None),
 ("adam",O.Adam,dict(lr=.02,betas=(.8,.95),eps=1e-6,weight_decay=.1),None),
 ("adamw",O.AdamW,dict(lr=.05),None),
 ("adamw",O.AdamW,dict(lr=.05,weight_decay=.3),None),
 ("rmsprop",O.RMSprop,dict(),None),
 ("rmsprop",O.RMSprop,dict(lr=.02,alpha=.9,momentum=.5,centered=True,weight_decay=.1),None),
 ("adagrad",O.Adagrad,dict(),None),
 ("adagrad",O.Adagrad,dict(lr=.1,lr_decay=.2,weight_decay=.1),None),
]:
    p=P0.clone().requires_grad_(); o=cls([p],**kw)
    for g in G: p.grad=g.clone(); o.step()
    c=dict(kw); c["name"]=name
    out["optimizers"].append({"config":c,"param":p.detach().flatten().tolist()})
# gradient clipping
for kw in [dict(clip_grad_norm=1.0),dict(clip_grad_value=.5)]:
    p=P0.clone().requires_grad_(); o=O.SGD([p],lr=.1)
    for g in G:
        p.grad=g.clone()
        if "clip_grad_norm" in kw: torch.nn.utils.clip_grad_norm_([p],1.0)
        else: torch.nn.utils.clip_grad_value_([p],.5)
        o.step()
    out["optimizers"].append({"config":dict(name="sgd",lr=.1,**kw),"param":p.detach().flatten().tolist()})
S=O.lr_scheduler
def run(name,cls,kw,cfg,per,steps,losses=None):
    p=torch.zeros(1,requires_grad=True); o=O.SGD([p],lr=.1); s=cls(o,**kw); rates=[]
    for i in range(steps):
        rates.append(o.param_groups[0]["lr"]); o.step()
        if losses is not None:
            if (i+1)%per==0: s.step(losses[(i+1)//per-1])
        elif per==1 or (i+1)%per==0: s.step()
    out["schedules"].append({"config":dict(cfg,name=name),"per_epoch":per,"steps":steps,"losses":losses,"rates":rates})
run("step",S.StepLR,dict(step_size=2,gamma=.5),dict(step_size=2,gamma=.5),3,18)
run("cosine",S.CosineAnnealingLR,dict(T_max=20,eta_min=.01),dict(eta_min=.01),1,20)
run("one_cycle",S.OneCycleLR,dict(max_lr=.1,total_steps=20),{},1,20)
run("one_cycle",S.OneCycleLR,dict(max_lr=.1,total_steps=50,pct_start=.2,div_factor=10,final_div_factor=100),dict(pct_start=.2,div_factor=10,final_div_factor=100),1,50)
run("plateau",S.ReduceLROnPlateau,dict(factor=.5,patience=1),dict(factor=.5,patience=1),2,24,[1,.9,.9,.95,.89995,.91,.92,.5,.6,.7,.8,.9])
json.dump(out,open("model/fit/optim/testdata/torch.json", "w"))
